"""Whether instances are what a training takes them for."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kerasplm.errors import DataError
from kerasplm.files import read_json

FACTS = "dataset.json"
"""The file in which data creation tells what it made."""
# The label of a pair means "random" in one layout and "swapped" in the other.
_LAYOUTS = {"nsp": "nsp", "sop": "sop"}


def vocabulary_digest(vocab: Sequence[str]) -> str:
    """Return the hash by which data and training know that they mean the same ids."""
    return hashlib.sha256("\n".join(vocab).encode()).hexdigest()


def check_agreement(
    files: Iterable[str],
    vocab: Sequence[str],
    objectives: Iterable[str],
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
    for folder in sorted({Path(name).parent for name in files}):
        file = folder / FACTS
        if not file.is_file():
            continue
        facts = read_json(file)
        theirs = facts.get("vocabulary")
        theirs = theirs if isinstance(theirs, dict) else {}
        if theirs.get("sha256") not in (None, vocabulary_digest(vocab)):
            raise DataError(
                f"{file}: expected the vocabulary of the model, of {len(vocab)} "
                f"tokens, found another one, of {theirs.get('size')}"
            )
        layout = facts.get("layout")
        wanted = [_LAYOUTS[name] for name in objectives if name in _LAYOUTS]
        if layout is not None and wanted and layout not in wanted:
            raise DataError(
                f"{file}: expected pairs of the layout {wanted[0]}, found {layout}"
            )
