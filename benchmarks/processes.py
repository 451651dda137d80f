"""Run the code of a library in a fresh process, by an interpreter of its own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def last_line(python: str, code: str, job: dict[str, Any], **environment: str) -> str:
    """Return the last line that the code prints.

    Args:
        python: The interpreter. Ours finds the modules of this folder; another one
            only those of its own environment.
        code: Python; `sys.argv[1]` is a JSON file with the job.
        job: What the code is told.
        **environment: More variables.

    Raises:
        SystemExit: It ends with an error.
    """
    variables = {**os.environ, **environment}
    variables.pop("PYTHONPATH", None)
    if python == sys.executable:
        variables["PYTHONPATH"] = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        data, file = Path(folder, "job.json"), Path(folder, "run.py")
        data.write_text(json.dumps(job), encoding="utf-8")
        # A file: AutoGraph reads the source of what it turns into a graph.
        file.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [python, str(file), str(data)],
            capture_output=True,
            text=True,
            check=False,
            env=variables,
        )
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr[-2000:]}")
    return done.stdout.strip().rsplit("\n", 1)[-1]
