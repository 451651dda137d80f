"""Whether instances are what a training takes them for."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

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
    files: Sequence[str],
    vocab: Sequence[str],
    objectives: Sequence[str],
) -> None:
    """Compare what `dataset.json` says, where there is one beside the files.

    Args:
        files: Those of `find_records`.
        vocab: Tokens of the model, in order of their ids.
        objectives: Their names.

    Raises:
        DataError: The instances have the ids of another vocabulary, or pairs of
            another kind.
    """
    by_folder: dict[Path, set[str]] = {}
    for place in map(Path, files):
        by_folder.setdefault(place.parent, set()).add(place.name)
    for folder, names in by_folder.items():
        file = folder / FACTS
        facts = read_json(file) if file.is_file() else {}
        shards = facts.get("shards")
        # A file that lies there, too, need not be of these data.
        if not isinstance(shards, dict) or names.isdisjoint(shards):
            continue
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
