"""What a tagger finds in a text, and official scores of it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasplm.evaluation.entities import cluener_scores
from kerasplm.tasks.rows import Entity, EntityRow


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class FoundEntity:
    """An entity that a model found.

    Args:
        start: First character of the row's text.
        end: One behind the last character.
        type: Its type.
        score: In [0, 1]: the probability of its tags, or the sigmoid of its score.
    """

    start: int
    end: int
    type: str
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class EntityPrediction:
    """What a model finds in a text.

    Args:
        found: Sorted; without overlaps if a token has one tag.
    """

    found: tuple[FoundEntity, ...]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities without their scores, as a row has them."""
        return tuple(Entity(e.start, e.end, e.type) for e in self.found)


def most_context(
    windows: Sequence[tuple[int, int]], found: Sequence[Sequence[FoundEntity]]
) -> list[FoundEntity]:
    """Return what was found in the windows of a text, each part of it decided once.

    Whether some characters are an entity is asked of the window in which they have
    the most context, which is the smaller of the numbers of characters on both sides
    plus a hundredth of the window; of equal ones the first window. So an entity that
    a border cuts is not taken from there.

    Args:
        windows: First character of each and one behind its last.
        found: The entities of each, in characters of the text.

    Returns:
        Sorted.
    """
    begins, ends = np.array(windows, "int64").reshape(-1, 2).T
    bonus = 0.01 * (ends - begins)
    kept = []
    for window, entities in enumerate(found):
        for e in entities:
            context = np.minimum(e.start - begins, ends - e.end) + bonus
            # In a window that does not hold it all there is no context at all.
            whole = (begins <= e.start) & (e.end <= ends)
            if np.where(whole, context, -1.0).argmax() == window:
                kept.append(e)
    return sorted(kept)


def _cluener_f1(types: Sequence[str], rows: Any, predictions: Any) -> float:
    def surfaces(row: EntityRow, entities: Sequence[Entity]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for e in entities:
            found.setdefault(e.type, set()).add(row.text[e.start : e.end])
        return found

    pairs = list(zip(rows, predictions, strict=True))
    expected = [surfaces(row, row.entities) for row, _ in pairs]
    given = [surfaces(row, p.entities) for row, p in pairs]
    return cluener_scores(expected, given, types).macro_f1


METRICS: Mapping[str, Callable[[Sequence[str], Any, Any], float]] = {
    "cluener_f1": _cluener_f1
}
"""Official scores of single tasks, besides those of the kind."""
