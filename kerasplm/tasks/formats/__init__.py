"""Readers of data files and writers of submissions, in the official formats."""

from kerasplm.tasks.formats.common import Reader, Rows
from kerasplm.tasks.formats.format import Format, one_file
from kerasplm.tasks.formats.official import FORMATS, table_format, target_format
from kerasplm.tasks.formats.relations import read_schemas
from kerasplm.tasks.formats.submissions import (
    write_answers,
    write_choice_list,
    write_choices,
    write_entities,
    write_idioms,
    write_labels,
    write_triples,
)

__all__ = [
    "FORMATS",
    "Format",
    "Reader",
    "Rows",
    "one_file",
    "read_schemas",
    "table_format",
    "target_format",
    "write_answers",
    "write_choice_list",
    "write_choices",
    "write_entities",
    "write_idioms",
    "write_labels",
    "write_triples",
]
