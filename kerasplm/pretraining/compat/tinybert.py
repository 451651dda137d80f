"""The pre-generated corpus of TinyBERT's general distillation."""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from kerasplm.errors import DataError
from kerasplm.files import read_json, temporary_folder, write_json
from kerasplm.pretraining.compat.documents import Document, File, Instance, lines
from kerasplm.pretraining.compat.masking import mask
from kerasplm.pretraining.compat.pairs import (
    Pair,
    framed,
    joined,
    pairs,
    random_pair,
    target_length,
)
from kerasplm.python_tokenizer import PythonTokenizer

KEYS = (
    "tokens",
    "segment_ids",
    "is_random_next",
    "masked_lm_positions",
    "masked_lm_labels",
)


def read_documents(file: File, tokenizer: PythonTokenizer) -> list[Document]:
    """Read the documents of a corpus, in order; sentences may be empty.

    Args:
        file: A UTF-8 text: a sentence per line, a blank line between documents.
        tokenizer: The tokenizer.

    Returns:
        At least two documents.

    Raises:
        DataError: When a line is not UTF-8, or there are fewer documents.

    Source:
        huawei-noah/Pretrained-Language-Model, TinyBERT,
        pregenerate_training_data.py, ``main``.
    """
    documents: list[Document] = [[]]
    for line in lines(file):
        if line:
            documents[-1].append(tokenizer.tokens(line))
        else:
            documents.append([])
    documents = [document for document in documents if document]
    if len(documents) < 2:
        raise DataError(
            f"{file}: expected two documents or more, with a blank line between them, "
            f"found {len(documents)}; a random second sentence needs another document"
        )
    return documents


def instances(
    documents: list[Document],
    tokenizer: PythonTokenizer,
    *,
    epoch: int = 0,
    max_seq_len: int = 128,
    max_predictions_per_seq: int = 20,
    masked_lm_prob: float = 0.0,
    short_seq_prob: float = 0.1,
    do_whole_word_mask: bool = False,
    one_seq: bool = False,
    random_seed: int = 12345,
) -> Iterator[Instance]:
    """Make the instances of one epoch, in the order of the documents.

    The original is not seeded; here an epoch depends on the seed and its number, so
    that epochs can be made apart from each other.

    Args:
        documents: What ``read_documents`` returns.
        tokenizer: The tokenizer.
        epoch: Number of the epoch.
        max_seq_len: Longest instance, in tokens.
        max_predictions_per_seq: The most tokens to predict.
        masked_lm_prob: Share of the tokens to predict; one is, even of 0.
        short_seq_prob: How often a document is cut into shorter pairs.
        do_whole_word_mask: Whether ``##`` pieces are masked with the piece before.
        one_seq: Whether no second segment is random; of a single sentence it is
            a full stop.
        random_seed: Seed of all draws.

    Yields:
        The instances.

    Example:
        >>> made = tinybert.instances(documents, tokenizer)  # doctest: +SKIP

    Source:
        huawei-noah/Pretrained-Language-Model, TinyBERT,
        pregenerate_training_data.py, ``create_instances_from_document``.
    """
    rng = random.Random(f"{random_seed} {epoch}")
    words = list(dict.fromkeys(tokenizer.vocab))
    ends = list(accumulate(map(len, documents)))

    for index, document in enumerate(documents):

        def split(
            before: Document, after: Document, target: int, index: int = index
        ) -> Pair:
            if not one_seq and (not after or rng.random() < 0.5):
                # A sentence of any other document: those after this one come
                # first, then those before it.
                sentence = rng.randrange(
                    ends[index], ends[index] + ends[-1] - len(documents[index])
                )
                other = documents[bisect_right(ends, sentence % ends[-1])]
                pair = random_pair(before, after, target, other, rng)
            else:
                pair = Pair(joined(before), joined(after), False)
            return pair._replace(first=pair.first or ["."], second=pair.second or ["."])

        target = target_length(max_seq_len, short_seq_prob, rng)
        for pair in pairs(document, target, max_seq_len - 3, split, rng):
            tokens, first = framed(pair)
            out, positions, labels = mask(
                tokens,
                words,
                rng,
                masked_lm_prob=masked_lm_prob,
                max_predictions_per_seq=max_predictions_per_seq,
                do_whole_word_mask=do_whole_word_mask,
            )
            yield Instance(out, first, positions, labels, pair.is_random_next)


def features(instance: Instance) -> dict[str, Any]:
    """Return what a line of the corpus holds.

    Args:
        instance: The instance.

    Returns:
        ``tokens``, ``segment_ids``, ``is_random_next``, ``masked_lm_positions`` and
        ``masked_lm_labels``, not padded; tokens are strings.

    Source:
        huawei-noah/Pretrained-Language-Model, TinyBERT,
        pregenerate_training_data.py, ``create_instances_from_document``.
    """
    first, size = instance.first, len(instance.tokens)
    values = (
        instance.tokens,
        [0] * first + [1] * (size - first),
        instance.is_random_next,
        instance.positions,
        instance.labels,
    )
    return dict(zip(KEYS, values, strict=True))


def write(
    folder: File, epoch: int, made: Iterable[Instance], max_seq_len: int
) -> tuple[Path, Path]:
    """Write ``epoch_N.json`` and, last, ``epoch_N_metrics.json``.

    Args:
        folder: The folder; made when missing.
        epoch: Number of the epoch, N.
        made: Its instances; they are written as they come.
        max_seq_len: Longest instance, in tokens.

    Returns:
        The two files. Chinese stays readable in them, at a third of the size that
        the original's escapes take; both readers take both.

    Source:
        huawei-noah/Pretrained-Language-Model, TinyBERT,
        pregenerate_training_data.py, ``create_training_file``.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    corpus, metrics = _files(place, epoch)
    count = 0
    with temporary_folder(place) as scratch:
        part = scratch / corpus.name
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            for instance in made:
                row = json.dumps(features(instance), ensure_ascii=False)
                stream.write(row + "\n")
                count += 1
        part.replace(corpus)
    write_json(metrics, {"num_training_examples": count, "max_seq_len": max_seq_len})
    return corpus, metrics


def read(folder: File, epoch: int) -> Iterator[Instance]:
    """Read the instances of an epoch, ours or of the original.

    Args:
        folder: The folder.
        epoch: Number of the epoch.

    Yields:
        The instances.

    Raises:
        ConfigError: When there are no metrics of the epoch.
        DataError: When a line is not an instance, or lines are missing.

    Source:
        huawei-noah/Pretrained-Language-Model, TinyBERT, general_distill.py,
        ``PregeneratedDataset``.
    """
    corpus, metrics = _files(Path(folder), epoch)
    expected = read_json(metrics).get("num_training_examples")
    count = 0
    for count, line in enumerate(lines(corpus), 1):
        yield _instance(line, f"{corpus}: line {count}")
    if count != expected:
        raise DataError(
            f"{corpus}: expected {expected} instances, as {metrics.name} says, found "
            f"{count}"
        )


def _files(folder: Path, epoch: int) -> tuple[Path, Path]:
    name = f"epoch_{epoch}"
    return folder / f"{name}.json", folder / f"{name}_metrics.json"


def _instance(line: str, where: str) -> Instance:
    try:
        row = json.loads(line)
        tokens, segments, is_next, positions, labels = (row[key] for key in KEYS)
        first = segments.count(0)
        whole = segments == [0] * first + [1] * (len(tokens) - first)
        if not (whole and len(positions) == len(labels)):
            raise ValueError("lists of different lengths, or segments out of order")
        if any(not 0 <= i < len(tokens) for i in positions):
            raise ValueError("a position outside the tokens")
        if not all(isinstance(token, str) for token in [*tokens, *labels]):
            raise ValueError("a token that is not a string")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: expected a JSON object with {', '.join(KEYS)} that fit each "
            f"other, found {line[:60]!r} ({type(error).__name__}: {error})"
        ) from error
    return Instance(tokens, first, positions, labels, bool(is_next))
