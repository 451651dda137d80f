"""Raw input: what one item of a call is, and its fields."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kerasplm.errors import DataError

# Besides its own name, a field is found under those that data sets give it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "text": ("sentence", "sentence1", "text_a"),
    "pair": ("text_pair", "sentence2", "text_b"),
}


def is_item(value: Any) -> bool:
    """Whether a value is one item: a str, a tuple of fields or a dictionary."""
    return isinstance(value, str | tuple | Mapping)


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of at most `size` items."""
    part: list[Any] = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def fields_of(item: Any, names: Sequence[str], required: int, number: int) -> list[Any]:
    """Return the fields of an item, those that are missing as None.

    Args:
        item: A str, a tuple of fields in the order of their names, or a dictionary,
            of which other keys are left alone.
        names: All fields; the first `required` ones must be there.
        required: How many.
        number: Which item it is, for messages.

    Raises:
        DataError: It is something else, or a field is missing or too much.

    Example:
        >>> fields_of({"text": "你好", "id": 7}, ("text", "pair"), 1, 0)
        ['你好', None]
    """
    if isinstance(item, str):
        found: list[Any] = [item]
    elif isinstance(item, tuple):
        found = list(item)
    elif isinstance(item, Mapping):
        found = [_value(item, name) for name in names]
    else:
        raise DataError(
            f"input {number}: expected {_wanted(names, required)}, found "
            f"{type(item).__name__}"
        )
    found += [None] * (len(names) - len(found))
    missing = [n for n, value in zip(names, found, strict=False) if value is None]
    if len(found) > len(names) or set(missing) & set(names[:required]):
        here = sorted(map(str, item)) if isinstance(item, Mapping) else item
        raise DataError(
            f"input {number}: expected {_wanted(names, required)}, found {here!r}"
        )
    return found


def text_of(value: Any, name: str, number: int) -> str:
    """Return a field that has to be a str.

    Raises:
        DataError: It is something else.
    """
    if not isinstance(value, str):
        raise DataError(
            f"input {number}: {name} must be a str. Received: {type(value).__name__}"
        )
    return value


def texts_of(
    item: Any, names: Sequence[str], required: int, number: int
) -> list[str | None]:
    """Return the fields of an item all of whose fields are texts."""
    found = fields_of(item, names, required, number)
    return [
        None if value is None else text_of(value, name, number)
        for name, value in zip(names, found, strict=True)
    ]


def _value(item: Mapping[str, Any], name: str) -> Any:
    for key in (name, *ALIASES.get(name, ())):
        if key in item:
            return item[key]
    return None


def _wanted(names: Sequence[str], required: int) -> str:
    if required == 1:
        more = f", or a tuple or dict of {', '.join(names)}" if len(names) > 1 else ""
        return f"a str{more}"
    return f"a tuple or dict of {', '.join(names[:required])}"
