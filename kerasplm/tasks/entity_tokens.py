"""Entities of characters as entities of tokens, and the tokens of a text."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kerasplm.memo import Memo
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks.rows import Entity, Span

WIDENED = "widened: a border lies inside a token"
TRIMMED = "trimmed: a border is a character that no token comes from"
LOST = "lost: no token comes from its characters"
OVERLAPPING = "left out: overlaps another one, and a token has one tag"
CUT = "left out: whole in no window"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class TokenEntity:
    """An entity in tokens.

    Args:
        start: First token.
        end: One behind the last token.
        type: Its type.
    """

    start: int
    end: int
    type: str


class CharacterTokenizer:
    """Make every character one token, as the taggers of CLUENER do.

    A character gets the id that it has when it stands alone; one that is no token,
    several tokens, or vanishes (a blank) becomes [UNK]. So every border of an entity
    is a border of a token.

    Args:
        tokenizer: For vocabulary and rules.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "好", "a", "##b"]
        >>> CharacterTokenizer(PythonTokenizer(vocab)).tokenize_offsets("好 Ab")
        ([4, 1, 5, 1], [(0, 1), (1, 2), (2, 3), (3, 4)])

    Source: `CNerTokenizer` of CLUEbenchmark/CLUENER2020 pytorch_version.
    """

    def __init__(self, tokenizer: PythonTokenizer) -> None:
        def lone(char: str) -> int:
            ids = tokenizer.tokenize([char])[0]
            return ids[0] if len(ids) == 1 else tokenizer.unk_id

        self._ids = Memo(lone)

    def tokenize_offsets(self, text: str) -> tuple[list[int], list[Span]]:
        """Return one id and one span for each character."""
        return [self._ids[char] for char in text], [
            (n, n + 1) for n in range(len(text))
        ]


def to_tokens(
    entities: Iterable[Entity], spans: Sequence[Span]
) -> tuple[list[TokenEntity], collections.Counter[str]]:
    """Return entities in tokens; a border inside a token is moved to its border.

    Args:
        entities: In characters.
        spans: Characters of each token, in order.

    Returns:
        The entities, each once, sorted; and how many are not exact, by reason.

    Example:
        >>> to_tokens([Entity(1, 3, "name")], [(0, 1), (1, 4)])[0]
        [TokenEntity(start=1, end=2, type='name')]
    """
    starts, ends = np.array(spans, "int64").reshape(-1, 2).T
    found: set[TokenEntity] = set()
    counts: collections.Counter[str] = collections.Counter()
    for entity in entities:
        first = int(np.searchsorted(ends, entity.start, "right"))
        stop = int(np.searchsorted(starts, entity.end, "left"))
        if first >= stop:
            counts[LOST] += 1
            continue
        if starts[first] < entity.start or ends[stop - 1] > entity.end:
            counts[WIDENED] += 1
        elif starts[first] > entity.start or ends[stop - 1] < entity.end:
            counts[TRIMMED] += 1
        found.add(TokenEntity(first, stop, entity.type))
    return sorted(found), counts


def learnable(
    entities: Iterable[Entity], spans: Sequence[Span], nested: bool
) -> tuple[list[TokenEntity], collections.Counter[str]]:
    """Return what a model can be taught: as `to_tokens`, if need be without overlaps.

    Args:
        entities: In characters.
        spans: Characters of each token, in order.
        nested: Whether entities may overlap. If not, of two the longer is kept.
    """
    found, counts = to_tokens(entities, spans)
    if nested:
        return found, counts
    kept = keep_apart(found, lambda entity: entity.start - entity.end)
    counts[OVERLAPPING] += len(found) - len(kept)
    return kept, counts


def keep_apart(entities: Iterable[Any], rank: Any) -> list[Any]:
    """Return those that overlap none of a lower rank, sorted.

    Args:
        entities: Objects that can be sorted, with `start` and `end`.
        rank: Gives the rank of one of them; of equal ones the first wins.
    """
    kept: list[Any] = []
    for entity in sorted(sorted(entities), key=rank):
        if all(e.end <= entity.start or entity.end <= e.start for e in kept):
            kept.append(entity)
    return sorted(kept)


def inside(entities: Iterable[TokenEntity], start: int, end: int) -> list[TokenEntity]:
    """Return the entities that are whole in a window from `start` to before `end`."""
    return [e for e in entities if start <= e.start and e.end <= end]
