"""What `kerasplm pretraining-data` does, in a process without TensorFlow."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from kerasplm.errors import PLMError, describe
from kerasplm.pretraining import creating, originals
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.pool import light_python
from kerasplm.pretraining.statistics import table
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table


def replace_process(task: Mapping[str, Any]) -> None:
    """Become a process that does the task; does not return.

    This one has loaded TensorFlow, which takes more memory than all of the work.

    Args:
        task: What `run` takes.
    """
    with tempfile.TemporaryFile() as stream:
        stream.write(json.dumps(task).encode("utf-8"))
        stream.seek(0)
        os.dup2(stream.fileno(), 0)
    sys.stdout.flush()
    sys.stderr.flush()
    command = light_python("kerasplm.pretraining.command")
    os.execv(command[0], command)


def run(task: Mapping[str, Any]) -> None:
    """Create the data and print what it holds.

    Args:
        task: `inputs`, `output`, `vocabulary`, the options of the `tokenizer`, and
            either `settings`, `workers`, `show`, or `compat`, `flags`, `shards`.
    """
    tokenizer = PythonTokenizer(task["vocabulary"], **task["tokenizer"])
    where = task["inputs"], task["output"], tokenizer
    if task.get("compat"):
        shards = task["shards"] or 1
        facts = originals.create(task["compat"], *where, shards=shards, **task["flags"])
    else:
        settings = DataSettings.from_json(task["settings"])
        facts = creating.create(
            *where, settings, workers=task["workers"], show=task["show"]
        )
    report(facts, task["output"])


def report(facts: Mapping[str, Any], output: str) -> None:
    """Print the statistics of a data set."""
    rows = table(facts["statistics"])
    files = "1 file" if len(facts["shards"]) == 1 else f"{len(facts['shards'])} files"
    print_table(f"{output}: {files}", ("statistic", "value"), rows)


def main() -> None:
    """Do the task that stands in the standard input."""
    try:
        run(json.load(sys.stdin))
    except (PLMError, OSError) as error:
        text = f"[bold red]error:[/] {escape(describe(error))}"
        Console(stderr=True).print(text, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
