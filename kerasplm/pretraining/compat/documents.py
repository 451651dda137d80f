"""What the original data creators share: documents, instances, features."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from kerasplm.errors import DataError
from kerasplm.vocab import TokenizerBase

File = str | os.PathLike[str]
Sentence = list[str]
Document = list[Sentence]
Features = dict[str, list[int] | list[float]]


class Instance(NamedTuple):
    """One training instance, as the original creators hold it.

    Attributes:
        tokens: The corrupted tokens, special ones included.
        first: How many of them belong to segment 0.
        positions: Where tokens are to be predicted, ascending.
        labels: The tokens to predict there; of the Chinese creators ``##`` and a
            character inside a word.
        is_random_next: Whether the pair label is 1.
        boundary: 1 for each token that starts a word; only of ALBERT's creator.
    """

    tokens: list[str]
    first: int
    positions: Sequence[int] = ()
    labels: Sequence[str] = ()
    is_random_next: bool = False
    boundary: Sequence[int] | None = None


def lines(file: File) -> Iterator[str]:
    r"""Yield the lines of a text, stripped; they end at ``\n`` only.

    Args:
        file: A UTF-8 text.

    Yields:
        Each line without the white space around it.

    Raises:
        DataError: When a line is not UTF-8.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "a.txt")
        >>> _ = file.write_bytes(b" a \r\n\n b")
        >>> list(lines(file))
        ['a', '', 'b']

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_training_instances``.
    """
    with open(file, "rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                yield raw.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{file}: line {number}: expected UTF-8 text, found the byte "
                    f"0x{raw[error.start]:02x} at byte {error.start} of the line"
                ) from error


def read_documents(
    files: Iterable[File],
    tokenize: Callable[[str], Sentence],
    rng: random.Random,
    clean: Callable[[str], str] = str,
) -> list[Document]:
    """Read all documents, tokenize them once and shuffle them.

    Only a blank line ends a document: the end of a file does not, so that the last
    document of a file goes on in the next one. A line without a token is left out.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents.
        tokenize: Returns the tokens of a line.
        rng: Draws the order.
        clean: Is given each line first.

    Returns:
        The documents, lists of sentences, which are lists of tokens.

    Raises:
        DataError: When a line is not UTF-8, or no document has a token.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_training_instances``.
    """
    files = list(files)
    documents: list[Document] = [[]]
    for file in files:
        for line in lines(file):
            line = clean(line).strip()
            if not line:
                documents.append([])
                continue
            tokens = tokenize(line)
            if tokens:
                documents[-1].append(tokens)
    documents = [document for document in documents if document]
    if not documents:
        raise DataError(
            f"{', '.join(map(str, files)) or 'no file'}: expected text, a sentence "
            "per line and a blank line between documents, found none"
        )
    rng.shuffle(documents)
    return documents


def all_instances(
    count: int,
    dupe_factor: int,
    from_document: Callable[[int], Iterable[Instance]],
    rng: random.Random,
) -> list[Instance]:
    """Go through all documents again and again, then shuffle the instances.

    Args:
        count: Number of documents.
        dupe_factor: How often each is used.
        from_document: Makes the instances of the document of a number.
        rng: Draws the order.

    Returns:
        The instances in the order of the TFRecord files.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_training_instances``.
    """
    made: list[Instance] = []
    for _ in range(dupe_factor):
        for index in range(count):
            made.extend(from_document(index))
    rng.shuffle(made)
    return made


def round_robin(instances: Sequence[Instance], files: int) -> list[list[Instance]]:
    """Return what each output file holds: they take one instance in turn.

    Args:
        instances: All instances, in order.
        files: Number of output files.

    Returns:
        A list of instances per file.

    Example:
        >>> round_robin(["a", "b", "c"], 2)
        [['a', 'c'], ['b']]

    Source:
        google-research/bert, create_pretraining_data.py,
        ``write_instance_to_example_files``.
    """
    return [list(instances[i::files]) for i in range(files)]


def features(
    instance: Instance,
    tokenizer: TokenizerBase,
    *,
    max_seq_length: int,
    max_predictions_per_seq: int,
) -> Features:
    """Return the features of an instance, padded with 0, in the original order.

    Args:
        instance: The instance.
        tokenizer: Gives the ids.
        max_seq_length: Length of the token features, L.
        max_predictions_per_seq: Length of the prediction features, P.

    Returns:
        ``input_ids``, ``input_mask``, ``segment_ids`` [L] (and ``token_boundary``
        [L] where the instance has it), ``masked_lm_positions``, ``masked_lm_ids``
        and ``masked_lm_weights`` [P], ``next_sentence_labels`` [1].

    Raises:
        VocabError: When a token is not in the vocabulary; the originals stop at a
            KeyError there.
        DataError: When the instance is too long.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``write_instance_to_example_files``.
    """
    out = token_features(instance, tokenizer, max_seq_length)
    if instance.boundary is not None:
        out["token_boundary"] = _padded(instance.boundary, max_seq_length)
    positions = instance.positions
    masked = [tokenizer.id_of(token) for token in instance.labels]
    weights = [1.0] * len(masked)
    out["masked_lm_positions"] = _padded(positions, max_predictions_per_seq)
    out["masked_lm_ids"] = _padded(masked, max_predictions_per_seq)
    out["masked_lm_weights"] = weights + [0.0] * (max_predictions_per_seq - len(masked))
    out["next_sentence_labels"] = [int(instance.is_random_next)]
    return out


def token_features(
    instance: Instance, tokenizer: TokenizerBase, max_seq_length: int
) -> Features:
    """Return ``input_ids``, ``input_mask`` and ``segment_ids``, padded with 0."""
    size, first = len(instance.tokens), instance.first
    ids = [tokenizer.id_of(token) for token in instance.tokens]
    rest = [0] * (max_seq_length - size)
    return {
        "input_ids": _padded(ids, max_seq_length),
        "input_mask": [1] * size + rest,
        "segment_ids": [0] * first + [1] * (size - first) + rest,
    }


def _padded(values: Sequence[int], length: int) -> list[int]:
    if len(values) > length:
        raise DataError(
            f"an instance has {len(values)} values where the features hold {length}; "
            "it was made for another length"
        )
    return [*values, *[0] * (length - len(values))]
