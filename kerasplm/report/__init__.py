"""What people look at after fine-tuning: pictures, examples, cards, reports.

`details` and `outputs` see the model's predictions while it is in memory; everything
else reads the folders of runs, so that a report can be made, and made again, later.
"""

from kerasplm.report.summary import write_report

__all__ = ["write_report"]
