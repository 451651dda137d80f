"""How the original creators cut a document into pairs of segments."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from kerasplm.pretraining.compat.documents import Document, Sentence


class Pair(NamedTuple):
    """Two segments, the label, and how many sentences go back to the document."""

    first: Sentence
    second: Sentence
    is_random_next: bool
    unused: int = 0


Split = Callable[[Document, Document, int], Pair | None]
"""Makes a pair of the sentences before and after the cut, and the target length."""


def target_length(
    max_seq_length: int, short_seq_prob: float, rng: random.Random
) -> int:
    """Draw how many tokens the pairs of a document should have together.

    Args:
        max_seq_length: Longest instance, with three special tokens.
        short_seq_prob: How often a shorter length is drawn.
        rng: Draws in the order of the original.

    Returns:
        All there is room for, or something from 2 to that.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_instances_from_document``.
    """
    room = max_seq_length - 3
    return rng.randint(2, room) if rng.random() < short_seq_prob else room


def pairs(
    document: Document, target: int, room: int, split: Split, rng: random.Random
) -> Iterator[Pair]:
    """Collect sentences up to the target, cut them in two, truncate.

    The caller must use a pair before it takes the next one: the draws are those of
    the original only in that order.

    Args:
        document: The sentences.
        target: Tokens that a pair should reach.
        room: Tokens that it may have.
        split: Chooses the second segment. After None the sentences stay, and more
            are added to them.
        rng: Draws in the order of the original.

    Yields:
        The pairs.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_instances_from_document``; brightmart/albert_zh,
        ``create_instances_from_document_albert``.
    """
    chunk: Document = []
    size = i = 0
    while i < len(document):
        chunk.append(document[i])
        size += len(document[i])
        if i == len(document) - 1 or size >= target:
            cut = rng.randint(1, len(chunk) - 1) if len(chunk) > 1 else 1
            pair = split(chunk[:cut], chunk[cut:], target)
            if pair is not None:
                first, second = truncate(pair.first, pair.second, room, rng)
                yield pair._replace(first=first, second=second)
                i -= pair.unused
                chunk, size = [], 0
        i += 1


def joined(sentences: Document) -> Sentence:
    """Return the tokens of some sentences."""
    return list(chain.from_iterable(sentences))


def other_document(
    documents: Sequence[Document], index: int, rng: random.Random
) -> Document:
    """Draw a document other than the given one, in at most ten attempts.

    Args:
        documents: All documents.
        index: The one that it should not be.
        rng: Draws in the order of the original.

    Returns:
        The document of the last attempt, which may be the given one.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_instances_from_document``.
    """
    drawn = index
    for _ in range(10):
        drawn = rng.randint(0, len(documents) - 1)
        if drawn != index:
            break
    return documents[drawn]


def from_there(document: Document, start: int, wanted: int) -> Sentence:
    """Return the sentences from ``start`` on until they have enough tokens."""
    tokens: Sentence = []
    for sentence in document[start:]:
        tokens += sentence
        if len(tokens) >= wanted:
            break
    return tokens


def random_pair(
    before: Document, after: Document, target: int, other: Document, rng: random.Random
) -> Pair:
    """Pair the sentences before the cut with a part of another document.

    Args:
        before: The sentences of the first segment.
        after: Those that are not used and go back.
        target: Tokens that the pair should reach.
        other: The other document.
        rng: Draws in the order of the original.

    Returns:
        The pair, of label 1.

    Source:
        google-research/bert, create_pretraining_data.py,
        ``create_instances_from_document``.
    """
    first = joined(before)
    start = rng.randint(0, len(other) - 1)
    second = from_there(other, start, target - len(first))
    return Pair(first, second, True, len(after))


def truncate(
    first: Sentence, second: Sentence, room: int, rng: random.Random
) -> tuple[Sentence, Sentence]:
    """Shorten the longer segment, the second of equals, at a random end.

    Args:
        first: Tokens of the first segment.
        second: Tokens of the second segment.
        room: Tokens that both may have together.
        rng: Draws an end for each token that goes: the front below 0.5.

    Returns:
        The two segments.

    Example:
        >>> truncate(list("abc"), list("de"), 5, random.Random(0))
        (['a', 'b', 'c'], ['d', 'e'])

    Source:
        google-research/bert, create_pretraining_data.py, ``truncate_seq_pair``.
    """
    spans = [0, len(first)], [0, len(second)]
    sizes = [len(first), len(second)]
    while sum(sizes) > room:
        longer = 0 if sizes[0] > sizes[1] else 1
        sizes[longer] -= 1
        if rng.random() < 0.5:
            spans[longer][0] += 1
        else:
            spans[longer][1] -= 1
    return first[slice(*spans[0])], second[slice(*spans[1])]


def framed(pair: Pair) -> tuple[Sentence, int]:
    """Return the tokens with [CLS] and [SEP], and how many are of segment 0."""
    tokens = ["[CLS]", *pair.first, "[SEP]", *pair.second, "[SEP]"]
    return tokens, len(pair.first) + 2
