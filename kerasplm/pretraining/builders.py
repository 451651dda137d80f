"""Documents become instances: what a model reads at once, without masks.

All functions are pure: the same pieces and the same random numbers give the same
instances. Unlike the originals (`compat/` has these) they lose no token: long sentences
are cut, not truncated, and what does not fit begins the next instance.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from random import Random
from types import MappingProxyType
from typing import NamedTuple


class Piece(NamedTuple):
    """Tokens of a sentence, or of a part of it.

    Args:
        ids: Token ids.
        starts: A byte per token: 1 where a word starts.
    """

    ids: Sequence[int]
    starts: bytes


class Instance(NamedTuple):
    """What a model reads at once; the names are those of the records.

    Args:
        input_ids: With [CLS] and [SEP].
        segment_ids: A byte per token: 0 or 1.
        token_boundary: A byte per token: 1 where a word starts, and for [CLS], [SEP].
        label: 1: the second part is from elsewhere (nsp) or both are swapped (sop);
            None: the layout has no label.
    """

    input_ids: list[int]
    segment_ids: bytes
    token_boundary: bytes
    label: int | None


Parts = tuple[Piece, Piece | None, int | None]
Stranger = Callable[[Random], Sequence[Piece]] | None
"""Gives the pieces of another document; None: there is no other one."""


def join(pieces: Iterable[Piece]) -> Piece:
    """Return the tokens of several pieces as one."""
    pieces = list(pieces)
    ids = list(chain.from_iterable(piece.ids for piece in pieces))
    return Piece(ids, b"".join(piece.starts for piece in pieces))


def cut(piece: Piece, most: int) -> list[Piece]:
    r"""Cut a sentence into pieces of at most so many tokens.

    Args:
        piece: A sentence.
        most: Tokens per piece.

    Returns:
        Pieces that begin where a word starts, unless a word alone is too long.

    Example:
        >>> cut(Piece([5, 6, 7], bytes([1, 0, 1])), 2)
        [Piece(ids=[5, 6], starts=b'\x01\x00'), Piece(ids=[7], starts=b'\x01')]
        >>> [p.ids for p in cut(Piece([5, 6, 7], bytes([1, 1, 0])), 2)]
        [[5], [6, 7]]
    """
    pieces, start, size = [], 0, len(piece.ids)
    while size - start > most:
        end = piece.starts.rfind(1, start + 1, start + most + 1)
        end = start + most if end < 0 else end
        pieces.append(Piece(piece.ids[start:end], piece.starts[start:end]))
        start = end
    pieces.append(Piece(piece.ids[start:], piece.starts[start:]) if start else piece)
    return pieces


def halves(piece: Piece) -> tuple[Piece, Piece] | None:
    """Cut a piece at the start of a word, as near to its middle as possible.

    Returns:
        Two pieces; None for a single word.

    Example:
        >>> first, second = halves(Piece([5, 6, 7], bytes([1, 0, 1])))
        >>> first.ids, second.ids
        ([5, 6], [7])
    """
    middle = len(piece.ids) // 2
    before = piece.starts.rfind(1, 1, middle + 1)
    after = piece.starts.find(1, middle + 1)
    if before < 0 or 0 <= after < 2 * middle - before:
        before = after
    if before < 0:
        return None
    ids, starts = piece
    return Piece(ids[:before], starts[:before]), Piece(ids[before:], starts[before:])


def take(pieces: Sequence[Piece], start: int, target: int, least: int) -> int:
    """Return the end of the pieces from `start` that fit into `target` tokens.

    Args:
        pieces: Of a document.
        start: First piece.
        target: Tokens.
        least: So many pieces are taken in any case.
    """
    end, total = start, 0
    while end < len(pieces):
        total += len(pieces[end].ids)
        if total > target and end - start >= least:
            break
        end += 1
    return end


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a document becomes instances.

    Args:
        title: In words.
        parts: Yields first part, second part and label of each instance; takes the
            pieces, the tokens of an instance without [CLS] and [SEP], the share of
            shorter ones, the random numbers, and the other documents.
        specials: [CLS] and [SEP] tokens of an instance.
        shared: Instances have two pieces at least: none may take more than half.
        labels: Whether there is a label.
        masks: Whether the static form has masks.
        short: Share of shorter instances by default.
        groups: Whether a document is a group of texts that mean the same: a long one
            loses its end, as a piece of it means something else.
    """

    title: str
    parts: Callable[[Sequence[Piece], int, float, Random, Stranger], Iterator[Parts]]
    specials: int = 3
    shared: bool = True
    labels: bool = False
    masks: bool = True
    short: float = 0.0
    groups: bool = False

    def longest_piece(self, max_length: int) -> int:
        """Return the tokens that a piece may have."""
        room = max_length - self.specials
        return room // 2 if self.shared else room


def _target(most: int, short: float, rng: Random) -> int:
    return rng.randint(2, most) if rng.random() < short else most


def _nsp(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    start = 0
    while start < len(pieces):
        target = _target(most, short, rng)
        end = take(pieces, start, target, 2)
        pair: tuple[Piece, Piece] | None
        if end - start > 1:
            middle = rng.randint(start + 1, end - 1)
            pair = join(pieces[start:middle]), join(pieces[middle:end])
        else:
            middle, pair = end, halves(pieces[start])
        elsewhere = stranger is not None and rng.random() < 0.5
        if stranger is not None and (elsewhere or pair is None):
            first = join(pieces[start:middle])
            other = stranger(rng)
            begin = rng.randrange(len(other))
            left = target - len(first.ids)
            second = join(other[begin : take(other, begin, left, 1)])
            yield first, cut(second, most - len(first.ids))[0], 1
            # What the stranger pushed out is not lost.
            end = middle
        elif pair is not None:
            yield *pair, 0
        start = end


def _in_order(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    start = 0
    while start < len(pieces):
        end = take(pieces, start, _target(most, short, rng), 2)
        if end - start > 1:
            middle = rng.randint(start + 1, end - 1)
            yield join(pieces[start:middle]), join(pieces[middle:end]), None
        elif pair := halves(pieces[start]):
            yield *pair, None
        start = end


def _sop(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    for first, second, _ in _in_order(pieces, most, short, rng, stranger):
        if second is not None and rng.random() < 0.5:
            yield second, first, 1
        else:
            yield first, second, 0


def _doc_sentences(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    start = 0
    while start < len(pieces):
        end = take(pieces, start, _target(most, short, rng), 1)
        yield join(pieces[start:end]), None, None
        start = end


def _electra(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    start = 0
    while start < len(pieces):
        target = _target(most, short, rng)
        end = take(pieces, start, target, 1)
        # One in ten has a single segment.
        first = 2 * most if rng.random() < 0.1 else target // 2
        middle, size = start + 1, len(pieces[start].ids)
        while middle < end and (
            size + len(pieces[middle].ids) < first
            or (size < first and rng.random() < 0.5)
        ):
            size += len(pieces[middle].ids)
            middle += 1
        second = join(pieces[middle:end]) if middle < end else None
        yield join(pieces[start:middle]), second, None
        start = end


def _causal(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    whole, start = join(pieces), 0
    while start < len(whole.ids):
        target = _target(most, short, rng)
        # One token more tells whether a word goes on.
        window = slice(start, start + target + 1)
        part = cut(Piece(whole.ids[window], whole.starts[window]), target)[0]
        yield part, None, None
        start += len(part.ids)


def _similar(
    pieces: Sequence[Piece], most: int, short: float, rng: Random, stranger: Stranger
) -> Iterator[Parts]:
    different = list({tuple(piece.ids): piece for piece in pieces}.values())
    if len(different) > 1:
        first, second = rng.sample(different, 2)
        yield first, second, None


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "nsp": Layout(
            "next sentence or another document", _nsp, labels=True, short=0.1
        ),
        "sop": Layout("two parts in order or swapped", _sop, labels=True, short=0.1),
        "doc-sentences": Layout(
            "whole sentences of a document, no pair", _doc_sentences, 2, shared=False
        ),
        "electra": Layout(
            "ELECTRA's segments", _electra, shared=False, masks=False, short=0.05
        ),
        "causal": Layout("running text", _causal, 2, shared=False, masks=False),
        "unilm": Layout("two parts in order", _in_order, masks=False),
        "simbert": Layout(
            "two texts that mean the same", _similar, masks=False, groups=True
        ),
    }
)
"""How documents become instances, by name.

Source:
    google-research/bert and brightmart/albert_zh, create_pretraining_data.py ("nsp",
    "sop"); brightmart/roberta_zh, create_pretraining_data.py ("doc-sentences");
    google-research/electra, build_pretraining_dataset.py; bojone/bert4keras ("unilm");
    ZhuiyiTechnology/simbert, simbert.py ("simbert": a pair of each group).
"""


def instances(
    pieces: Sequence[Piece],
    layout: Layout,
    max_length: int,
    special: tuple[int, int],
    rng: Random,
    *,
    short: float | None = None,
    stranger: Stranger = None,
) -> Iterator[Instance]:
    r"""Build the instances of one document.

    Args:
        pieces: Its sentences, cut to `layout.longest_piece(max_length)` tokens.
        layout: From `LAYOUTS`.
        max_length: Tokens of an instance at most.
        special: The ids of [CLS] and [SEP].
        rng: Random numbers, of this document alone.
        short: Share of shorter instances. None: as usual for the layout.
        stranger: Returns the pieces of another document ("nsp").

    Returns:
        The instances in the order of the text.

    Example:
        >>> text = [Piece([7, 8], b"\x01\x01"), Piece([9], b"\x01")]
        >>> layout = LAYOUTS["doc-sentences"]
        >>> [x.input_ids for x in instances(text, layout, 16, (2, 3), Random(0))]
        [[2, 7, 8, 9, 3]]
    """
    cls, sep = special
    share = layout.short if short is None else short
    most = max_length - layout.specials
    for first, second, label in layout.parts(pieces, most, share, rng, stranger):
        ids = [cls, *first.ids, sep]
        starts = b"".join((b"\x01", first.starts, b"\x01"))
        segments = bytes(len(ids))
        if second is not None:
            ids += second.ids
            ids.append(sep)
            starts = b"".join((starts, second.starts, b"\x01"))
            segments += b"\x01" * (len(second.ids) + 1)
        yield Instance(ids, segments, starts, label)
