"""Whether instances are what a training takes them for."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError, DataError
from kerasplm.files import read_json
from kerasplm.pretraining import records

FACTS = "dataset.json"
"""The file in which data creation tells what it made."""
# The label of a pair means "random" in one layout and "swapped" in the other; of others
# there is no second text to write.
_LAYOUTS = {
    "nsp": ("nsp",),
    "sop": ("sop",),
    "unilm": ("unilm", "simbert"),
    "simbert": ("simbert", "unilm"),
}
# Objectives that learn nothing where there is no second text.
_SECOND = ("unilm", "simbert")
# Options of a tokenizer that change the ids of letters, and of the command line.
_CASE = {"lowercase": "lower-case", "strip_accents": "strip-accents"}


def vocabulary_digest(vocab: Sequence[str]) -> str:
    """Return the hash by which data and training know that they mean the same ids."""
    return hashlib.sha256("\n".join(vocab).encode()).hexdigest()


def facts_beside(files: Sequence[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each `dataset.json` beside the files that tells of them, and what it says.

    Args:
        files: Those of `find_records`.
    """
    by_folder: dict[Path, set[str]] = {}
    for place in map(Path, files):
        by_folder.setdefault(place.parent, set()).add(place.name)
    for folder, names in by_folder.items():
        file = folder / FACTS
        facts = read_json(file) if file.is_file() else {}
        shards = facts.get("shards")
        # A file that lies there, too, need not be of these data.
        if isinstance(shards, dict) and not names.isdisjoint(shards):
            yield file, facts


def case_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a data set treats letters, as arguments of `load_tokenizer`."""
    told = facts.get("tokenizer")
    told = told if isinstance(told, dict) else {}
    return {name: told[name] for name in _CASE if isinstance(told.get(name), bool)}


def check_agreement(
    files: Sequence[str],
    vocab: Sequence[str],
    objectives: Sequence[str],
    case: Mapping[str, Any] | None = None,
) -> None:
    """Compare what `dataset.json` says, where there is one beside the files.

    Args:
        files: Those of `find_records`.
        vocab: Tokens of the model, in order of their ids.
        objectives: Their names.
        case: `get_config` of its tokenizer; None compares none.

    Raises:
        DataError: The instances have the ids of another vocabulary, of a tokenizer
            that treats letters in another way, or pairs of another kind.
    """
    for file, facts in facts_beside(files):
        theirs = facts.get("vocabulary")
        theirs = theirs if isinstance(theirs, dict) else {}
        if theirs.get("sha256") not in (None, vocabulary_digest(vocab)):
            raise DataError(
                f"{file}: expected the vocabulary of the model, of {len(vocab)} "
                f"tokens, found another one, of {theirs.get('size')}"
            )
        for name, found in case_of(facts).items():
            if case is not None and case[name] != found:
                raise DataError(
                    f"{file}: expected text as the model's tokenizer reads it, "
                    f"{name}={case[name]}, found {name}={found}. Make the data again "
                    f"with --{'' if case[name] else 'no-'}{_CASE[name]}"
                )
        layout = facts.get("layout")
        for name in objectives:
            wanted = _LAYOUTS.get(name)
            if layout is not None and wanted is not None and layout not in wanted:
                raise DataError(
                    f"{file}: expected pairs of the layout {' or '.join(wanted)} for "
                    f"{name}, found {layout}"
                )
    second = [name for name in objectives if name in _SECOND]
    if second and not any(map(_has_second, files)):
        raise DataError(
            f"{files[0]}: expected two texts in an instance for {second[0]}, found "
            "one text in each. See `kerasplm pretraining-data --layout`"
        )


def _has_second(file: str) -> bool:
    # One is enough, and the first mostly has it; only wrong data are read to the end.
    found = map(records.decode, records.read(file))
    return any(1 in features.get("segment_ids", ()) for features in found)


def check_apart(files: Sequence[str], held_out: Sequence[str]) -> None:
    """Refuse to judge on what is trained on.

    Args:
        files: That are trained on.
        held_out: That are judged on.

    Raises:
        ConfigError: A file is in both.
    """
    given = {Path(file).resolve() for file in files}
    both = [file for file in held_out if Path(file).resolve() in given]
    if both:
        raise ConfigError(
            f"{both[0]}: expected held-out instances, found a file that is also "
            "trained on. Name the files of both, such as "
            "'data/records-0000[1-9]-*' and 'data/records-00000-*'"
        )
