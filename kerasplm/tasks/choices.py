"""The types of choices, checked in one way for Python, JSON and the command line."""

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from kerasplm.errors import ConfigError


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type of a choice; a whole number is a float, too."""
    return any(_is(value, one) for one in kinds_of(hint))


def kinds_of(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows, one by one."""
    union = isinstance(hint, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _is(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin is Literal:
        return value in typing.get_args(kind)
    if origin is tuple:
        one = typing.get_args(kind)[0]
        return isinstance(value, tuple | list) and all(_is(x, one) for x in value)
    if kind is float:
        return type(value) in (int, float)
    if kind in (int, bool, str):
        return type(value) is kind
    if kind is type(None):
        return value is None
    return True


def told(hint: Any) -> str:
    """Return the types that a hint allows, for a message."""
    names = []
    for kind in kinds_of(hint):
        if typing.get_origin(kind) is Literal:
            names += [repr(value) for value in typing.get_args(kind)]
        elif typing.get_origin(kind) is tuple:
            names.append("a list")
        else:
            names.append("none" if kind is type(None) else kind.__name__)
    return " or ".join(names)


def check_types(cls: type, choices: Mapping[str, Any]) -> None:
    """Check that values have the types that a dataclass declares for its fields.

    Args:
        cls: The dataclass.
        choices: Values by the names of its fields.

    Raises:
        ConfigError: One has not; the message names it.
    """
    hints = typing.get_type_hints(cls)
    for name, value in choices.items():
        if not fits(value, hints[name]):
            raise ConfigError(f"{name}: expected {told(hints[name])}, found {value!r}")
