"""Entities from tags such as B-name, and tags from entities."""

from collections.abc import Collection, Iterable, Sequence

from kerasplm.errors import DataError

Span = tuple[int, int, str]
"""First position, one behind the last, type."""

# Tags of the first, a middle, the last and an only position of an entity.
SCHEMES = {
    "BIO": ("B", "I", "I", "B"),
    "BIOS": ("B", "I", "I", "S"),
    "BIOES": ("B", "I", "E", "S"),
    "BMES": ("B", "M", "E", "S"),
    "IO": ("I", "I", "I", "I"),
}
_PREFIXES = frozenset("BIMES")


def entities_of_tags(
    tags: Sequence[str], outside: Collection[str] = ("O",), separator: str = "-"
) -> list[Span]:
    """Return the entities of a sequence of tags, whatever its scheme.

    A broken sequence is read as conlleval reads it: an entity begins at B and S, behind
    E and S, behind what is outside, and where the type changes; it ends before the next
    one, before what is outside and at the end.

    Args:
        tags: One per position: B, I, M, E or S, the separator and a type, or without
            separator and type.
        outside: Tags that belong to no entity, such as "O", "X", "[CLS]".
        separator: Between prefix and type; only its first occurrence counts.

    Returns:
        Entities in order.

    Raises:
        DataError: A tag is none of these; names its place.

    Example:
        >>> entities_of_tags(["B-name", "I-name", "O", "I-scene", "B-name"])
        [(0, 2, 'name'), (3, 4, 'scene'), (4, 5, 'name')]

    Source:
        conlleval (CoNLL-2000), ``startOfChunk`` and ``endOfChunk``.
    """
    entities: list[Span] = []
    start, type_ = 0, None
    closed = True  # whether the next tag cannot continue an entity
    for place, tag in enumerate(tags):
        if tag in outside:
            prefix, found = "", None
        else:
            prefix, _, found = tag.partition(separator)
            if prefix not in _PREFIXES:
                raise DataError(
                    f"tag {place + 1} of {len(tags)}: expected "
                    f"{', '.join(sorted(outside))} or B, I, M, E, S with a type, "
                    f"found {tag!r}"
                )
        if closed or prefix in ("B", "S") or found != type_:
            if type_ is not None:
                entities.append((start, place, type_))
            start, type_ = place, found
        closed = prefix in ("E", "S")
    if type_ is not None:
        entities.append((start, len(tags), type_))
    return entities


def tags_of_entities(
    entities: Iterable[Span], length: int, scheme: str = "BIO", separator: str = "-"
) -> list[str]:
    """Return one tag per position.

    Args:
        entities: They do not overlap; in any order.
        length: Number of positions.
        scheme: One of `SCHEMES`. "IO" joins neighbours of one type.
        separator: Between prefix and type.

    Returns:
        Tags; "O" where there is no entity.

    Raises:
        DataError: No such scheme; an entity is empty, outside the positions, or
            overlaps another one.

    Example:
        >>> tags_of_entities([(0, 2, "name"), (3, 4, "scene")], 5, "BMES")
        ['B-name', 'E-name', 'O', 'S-scene', 'O']

    Source:
        CLUENER2020, tf_version (BMES) and pytorch_version (BIOS); conlleval (BIO).
    """
    if scheme not in SCHEMES:
        raise DataError(f"expected a scheme of {', '.join(SCHEMES)}, found {scheme!r}")
    first, middle, last, only = SCHEMES[scheme]
    tags = ["O"] * length
    for start, end, type_ in entities:
        if not 0 <= start < end <= length:
            raise DataError(
                f"expected an entity within 0 and {length}, found {type_!r} from "
                f"{start} to {end}"
            )
        if set(tags[start:end]) != {"O"}:
            raise DataError(
                f"{type_!r} from {start} to {end} overlaps another entity: one tag "
                "per position cannot say both"
            )
        inner = [first, *[middle] * (end - start - 2), last]
        prefixes = inner if end - start > 1 else [only]
        tags[start:end] = [prefix + separator + type_ for prefix in prefixes]
    return tags
