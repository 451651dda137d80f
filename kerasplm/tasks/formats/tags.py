"""From tags of single characters or words to entities."""

import re
from collections.abc import Sequence

from kerasplm.tasks.rows import Entity

# B begins, I and M are inside, E and L end; S, U and W stand alone.
TAG = re.compile(r"([BIMELSUW])[-_](.+)")
_ENDS = frozenset("ELSUW")
_STARTS = frozenset("BSUW")


def closes(tags: Sequence[str]) -> bool:
    """Whether the tags mark the ends of entities (BIOES, BMES) or not (BIO)."""
    return any(tag[:1] in _ENDS and TAG.fullmatch(tag) for tag in tags)


def spans_of(tags: Sequence[str], closing: bool = False) -> tuple[list[Entity], int]:
    """Return the entities of one sentence, as conlleval takes them.

    An entity goes on while I, M, E of its type follow. One that begins with I, M or E
    begins there all the same; one that is not closed ends where it stops.

    Args:
        tags: Such as "O", "B-PER", "I-PER"; one for each character or word.
        closing: Whether an entity must be closed by E, L, S or U.

    Returns:
        The entities, whose `start` and `end` count tags; and how many of them had to
        be repaired.

    Example:
        >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"])
        ([Entity(start=0, end=2, type='PER'), Entity(start=3, end=4, type='LOC')], 1)
    """
    found: list[Entity] = []
    repaired = 0
    start, kind, sound = -1, "", True
    for n, tag in enumerate([*tags, "O"]):
        match = TAG.fullmatch(tag)
        letter, kind_here = match.groups() if match else ("O", "")
        goes_on = match and letter not in _STARTS and kind_here == kind
        if start >= 0 and not goes_on:
            found.append(Entity(start, n, kind))
            repaired += not sound or closing
            start, kind = -1, ""
        if not match:
            continue
        if start < 0:
            start, kind, sound = n, kind_here, letter in _STARTS
        if letter in _ENDS:
            found.append(Entity(start, n + 1, kind))
            repaired += not sound
            start, kind = -1, ""
    return found, repaired
