"""Sets of tasks that are run together, and where their data lie in a folder."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from kerasplm.errors import ConfigError, DataError
from kerasplm.tasks import TASKS, Task

SUITES: Mapping[str, tuple[str, ...]] = {
    # cluebenchmarks.com, version 1.1, with what 1.0 had instead of OCNLI.
    "clue": (
        *("afqmc", "tnews", "iflytek", "ocnli", "cmnli", "cluewsc2020", "csl"),
        *("cmrc2018", "chid", "c3", "clue_diagnostics"),
    ),
    # The tables of ymcui/Chinese-BERT-wwm and ymcui/Chinese-ELECTRA.
    "hfl": ("cmrc2018", "drcd", "xnli", "chnsenticorp", "lcqmc", "bq"),
    "ner": ("cluener", "msra_ner", "peoples_daily", "weibo_ner", "resume_ner"),
    "all": tuple(TASKS),
}

# Folders by which a task's data are known beside its name and NAME_public.
_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "cluewsc2020": ("cluewsc", "wsc", "wsc_public", "fewclue_cluewsc"),
    "cluener": ("cluener2020", "cluener_public"),
    "cmrc2018": ("cmrc2018_clue", "cmrc", "cmrc2018_public"),
    "clue_diagnostics": ("diagnostics", "clue_diagnostics_public"),
    "weibo_ner": ("weibo", "weiboNER"),
    "msra_ner": ("msra", "msraner"),
    "resume_ner": ("resume", "ResumeNER"),
    "peoples_daily": ("people_daily", "peopledaily"),
    "bq": ("bq_corpus", "bqcorpus"),
    "lic2019": ("lic2019_ie", "ske2019"),
    "stsb": ("sts", "sts-b", "STS-B"),
}


@dataclasses.dataclass(frozen=True)
class Found:
    """The tasks of a suite in a data folder.

    Args:
        present: Task names and their folders.
        absent: Names of tasks that have no training data there.
    """

    present: Mapping[str, Path]
    absent: tuple[str, ...]


def find_tasks(suite: str, data: str | Path) -> Found:
    """Return which tasks of a suite a data folder holds.

    A task's files lie in a folder of its name, of NAME_public as in CLUE's archives
    (also with another folder of that name in it), or of another usual name.

    Args:
        suite: Key in `SUITES`.
        data: The folder of all data.

    Raises:
        ConfigError: There is no such suite.
        DataError: The folder holds none of its tasks.

    Example:
        >>> find_tasks("clue", "data").present  # doctest: +SKIP
    """
    if suite not in SUITES:
        raise ConfigError(f"no suite {suite!r}; there are {', '.join(SUITES)}")
    root = Path(data).expanduser()
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with a folder for each task")
    present = {}
    for name in SUITES[suite]:
        folder = folder_of(TASKS[name], root) if name in TASKS else None
        if folder is not None:
            present[name] = folder
    if not present:
        there = ", ".join(sorted(p.name for p in root.iterdir() if p.is_dir()))
        raise DataError(
            f"{root}: expected folders of the tasks {', '.join(SUITES[suite])}, found "
            f"{there or 'none'}"
        )
    absent = tuple(name for name in SUITES[suite] if name not in present)
    return Found(present, absent)


def folder_of(task: Task, root: Path) -> Path | None:
    """Return the folder of a task's data, or None."""
    names = (task.name, f"{task.name}_public", *_FOLDERS.get(task.name, ()))
    needed = ("train", "dev") if not task.predicted_by else tuple(task.tests)[:1]
    for name in names:
        for folder in (root / name, root / name / name):
            if all(task.has(folder, split) for split in needed):
                return folder
    return None
