"""Whether instances are what a training takes them for."""

import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import DataError
from kerasplm.files import read_json

FACTS = "dataset.json"
"""The file in which data creation tells what it made."""
# The label of a pair means "random" in one layout and "swapped" in the other; of others
# there is no second text to write.
_LAYOUTS = {"nsp": "nsp", "sop": "sop", "unilm": "unilm", "simbert": "unilm"}


def vocabulary_digest(vocab: Sequence[str]) -> str:
    """Return the hash by which data and training know that they mean the same ids."""
    return hashlib.sha256("\n".join(vocab).encode()).hexdigest()


def check_agreement(
    data: str | Path | Sequence[str | Path],
    vocab: Sequence[str],
    objectives: Sequence[str],
) -> None:
    """Compare what `dataset.json` says, where there is one.

    Args:
        data: As for `find_records`.
        vocab: Tokens of the model, in order of their ids.
        objectives: Their names.

    Raises:
        DataError: The instances have the ids of another vocabulary, or pairs of
            another kind.
    """
    for file in _files_of_facts([data] if isinstance(data, str | Path) else data):
        facts = read_json(file)
        theirs = facts.get("vocabulary")
        theirs = theirs if isinstance(theirs, dict) else {}
        if theirs.get("sha256") not in (None, vocabulary_digest(vocab)):
            raise DataError(
                f"{file}: expected the vocabulary of the model, of {len(vocab)} "
                f"tokens, found another one, of {theirs.get('size')}"
            )
        layout = facts.get("layout")
        for name in objectives:
            wanted = _LAYOUTS.get(name, layout)
            if layout is not None and layout != wanted:
                raise DataError(
                    f"{file}: expected pairs of the layout {wanted} for {name}, found "
                    f"{layout}"
                )


def _files_of_facts(several: Sequence[str | Path]) -> list[Path]:
    """Return what tells of the data, also if only some of the files are named."""
    found = []
    for one in several:
        path = Path(one).expanduser()
        if path.is_dir():
            found.append(path / FACTS)
            continue
        names = map(Path, [str(path)] if path.is_file() else glob.glob(str(path)))
        for name in sorted(names):
            file = name.parent / FACTS
            # A file that lies there, too, need not be of these data.
            if file.is_file() and name.name in _shards(file):
                found.append(file)
    return [file for file in dict.fromkeys(found) if file.is_file()]


def _shards(file: Path) -> Any:
    shards = read_json(file).get("shards")
    return shards if isinstance(shards, dict) else ()
