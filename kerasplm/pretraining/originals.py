"""`--compat`: the records that an original data creator writes, in its files."""

import contextlib
import inspect
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from kerasplm._version import VERSION
from kerasplm.characters import Control
from kerasplm.errors import DataError
from kerasplm.files import temporary_folder, write_json
from kerasplm.pretraining import documents, records
from kerasplm.pretraining.agreement import FACTS
from kerasplm.pretraining.compat import CREATORS, tinybert
from kerasplm.pretraining.creating import shard_name, vocabulary_facts
from kerasplm.pretraining.statistics import Statistics
from kerasplm.python_tokenizer import PythonTokenizer

TINYBERT = "tinybert"
NAMES = (*CREATORS, TINYBERT)
"""What `--compat` takes."""

CONTROL: Mapping[str, Control] = MappingProxyType(
    {name: "electra" if "electra" in name else "bert" for name in NAMES}
)
"""How each original treats control characters; see `kerasplm.characters.RULES`."""

# Whose pairs of texts these are; see `builders.LAYOUTS`.
_LAYOUTS = MappingProxyType(
    {
        "bert": "nsp",
        "roberta_zh": "doc-sentences",
        "albert_zh": "sop",
        "albert_google": "sop",
        "albert_zh_google": "sop",
        "electra": "electra",
        "electra_zh": "electra",
        TINYBERT: "nsp",
    }
)
# A copy that passes the flags of its original on.
_COPIES = {"albert_zh_google": "albert_google"}
# The scripts of ELECTRA look for these names.
_ELECTRA = "pretrain_data.tfrecord-{}-of-{}"


def shard_names(name: str, count: int) -> list[str]:
    """Return the names of the files that an original's scripts look for."""
    if "joins" in inspect.signature(CREATORS[name].instances).parameters:
        return [_ELECTRA.format(n, count) for n in range(count)]
    return [shard_name(n, count) for n in range(count)]


def flags_of(name: str) -> dict[str, Any]:
    """Return the flags of an original with their default values.

    Args:
        name: From `NAMES`.

    Example:
        >>> flags_of("bert")["short_seq_prob"]
        0.1
    """
    module: ModuleType = tinybert if name == TINYBERT else CREATORS[name]
    parameters = inspect.signature(module.instances).parameters.values()
    flags = flags_of(_COPIES[name]) if name in _COPIES else {}
    flags |= {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    flags.pop("joins", None)
    return flags


def create(
    name: str,
    inputs: Sequence[str],
    output: str | Path,
    tokenizer: PythonTokenizer,
    *,
    shards: int = 1,
    **flags: Any,
) -> dict[str, Any]:
    """Write what an original data creator writes, draw for draw.

    All documents are held in memory, as there.

    Args:
        name: From `NAMES`.
        inputs: As for `creating.create`.
        output: Folder for the files.
        tokenizer: With the rules of the original; see `CONTROL`.
        shards: Number of files.
        flags: Of the original; see `flags_of`.

    Returns:
        What `dataset.json` says.

    Raises:
        DataError: There is no such original or flag, a file is missing, not UTF-8 or
            has no usable document; the folder holds other data.

    Example:
        >>> create("roberta_zh", ["news.txt"], "data", tokenizer,
        ...        do_whole_word_mask=True, dupe_factor=5)     # doctest: +SKIP

    Source:
        The modules of `kerasplm.pretraining.compat` name theirs.
    """
    if name not in NAMES:
        raise DataError(f"compat: expected {', '.join(NAMES)}, found {name!r}")
    known = flags_of(name)
    for flag in flags:
        if flag not in known:
            raise DataError(
                f"{name}: has no flag {flag}; its flags are {', '.join(known)}"
            )
    files = documents.find_files(inputs)
    place = Path(output)
    if place.is_dir() and any(place.iterdir()):
        raise DataError(f"{place}: expected an empty folder, found files there")
    facts: dict[str, Any] = {
        "compat": name,
        "layout": _layout(name, {**known, **flags}),
        "form": "static",
        "max_length": {**known, **flags}.get("max_seq_length"),
        "max_predictions": {**known, **flags}.get("max_predictions_per_seq"),
        "seed": {**known, **flags}["random_seed"],
        "flags": {**known, **flags},
        "vocabulary": vocabulary_facts(tokenizer),
        "tokenizer": tokenizer.get_config(),
        "inputs": {file: Path(file).stat().st_size for file in files},
        "version": VERSION,
    }
    if name == TINYBERT:
        return _tinybert(files, place, tokenizer, facts, shards)
    creator = CREATORS[name]
    made = creator.instances(files, tokenizer, **flags)
    sizes = {
        key: facts["flags"][key]
        for key in inspect.signature(creator.features).parameters
        if key in facts["flags"]
    }
    statistics = Statistics()
    rows = _counted((creator.features(x, tokenizer, **sizes) for x in made), statistics)
    facts["shards"] = _write(rows, place, shard_names(name, shards))
    if not statistics.instances:
        raise DataError(
            f"{files[0]}: expected a usable document, found none: all are too short"
        )
    facts["statistics"] = statistics.summary(facts["max_length"])
    write_json(place / FACTS, facts)
    return facts


def _layout(name: str, flags: Mapping[str, Any]) -> str:
    # ALBERT's creator can make BERT's pairs.
    return "nsp" if flags.get("random_next_sentence") else _LAYOUTS[name]


def _tinybert(
    files: Sequence[str],
    place: Path,
    tokenizer: PythonTokenizer,
    facts: dict[str, Any],
    epochs: int,
) -> dict[str, Any]:
    """Write a file for each epoch."""
    if len(files) != 1:
        raise DataError(f"tinybert: expected one input file, found {len(files)}")
    flags = facts["flags"]
    facts["max_length"] = flags["max_seq_len"]
    del flags["epoch"]
    texts = tinybert.read_documents(files[0], tokenizer)
    statistics, names = Statistics(), {}
    for epoch in range(epochs):
        made = list(tinybert.instances(texts, tokenizer, epoch=epoch, **flags))
        corpus, _ = tinybert.write(place, epoch, made, flags["max_seq_len"])
        names[corpus.name] = len(made)
        for instance in made:
            _count(len(instance.tokens), len(instance.positions), None, statistics)
    facts["shards"] = names
    facts["statistics"] = statistics.summary(flags["max_seq_len"])
    write_json(place / FACTS, facts)
    return facts


def _counted(
    rows: Iterable[Mapping[str, Any]], statistics: Statistics
) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        label = row.get("next_sentence_labels", [None])[0]
        predictions = int(sum(row.get("masked_lm_weights", ())))
        _count(sum(row["input_mask"]), predictions, label, statistics)
        yield row


def _count(
    size: int, predictions: int, label: int | None, statistics: Statistics
) -> None:
    statistics.instances += 1
    statistics.instance_tokens += size
    statistics.lengths[str(size)] += 1
    if predictions:
        statistics.masks["all"] += predictions
    if label is not None:
        statistics.labels[str(label)] += 1


def _write(
    rows: Iterable[Mapping[str, Any]], place: Path, names: Sequence[str]
) -> dict[str, int]:
    """Write records to the files in turn; return how many each has."""
    place.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(names, 0)
    with temporary_folder(place) as folder:
        with contextlib.ExitStack() as stack:
            opened = {
                name: stack.enter_context(open(folder / name, "wb")) for name in names
            }
            for number, row in enumerate(rows):
                name = names[number % len(names)]
                opened[name].write(records.frame(_encoded(row)))
                counts[name] += 1
        if any(counts.values()):
            for name in names:
                (folder / name).replace(place / name)
    return counts


def _encoded(row: Mapping[str, Any]) -> bytes:
    values = {
        name: array("f", v) if v and isinstance(v[0], float) else v
        for name, v in row.items()
    }
    return records.encode(values)
