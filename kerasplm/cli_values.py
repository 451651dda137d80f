"""Choices that are given on the command line as NAME=VALUE."""

import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasplm.errors import ConfigError

if TYPE_CHECKING:
    from kerasplm.tasks import Task


def parsed(more: Sequence[str] | None, like: Sequence["Task"]) -> dict[str, Any]:
    """Return the choices that were given as NAME=VALUE.

    Args:
        more: The texts.
        like: Tasks, whose kinds have these choices.

    Raises:
        ConfigError: A choice does not exist, or its value has another type.
    """
    return {n: value_of(n, text, like) for n, text in map(halves, more or [])}


def halves(text: str) -> tuple[str, str]:
    """Divide NAME=VALUE.

    Raises:
        ConfigError: There is no "=".
    """
    name, sign, value = text.partition("=")
    if not sign:
        raise ConfigError(f"expected NAME=VALUE, found {text!r}")
    return name.strip().replace("-", "_"), value.strip()


def value_of(name: str, text: str, like: Sequence["Task"]) -> Any:
    """Return a value as the type of the choice asks.

    Args:
        name: A field of `Settings` or of the options of a kind.
        text: As the user wrote it.
        like: Tasks, whose kinds have these options.

    Raises:
        ConfigError: There is no such choice, or the text is no such value.
    """
    from kerasplm.tasks import Settings

    hints = typing.get_type_hints(Settings)
    for task in like:
        hints |= typing.get_type_hints(task.engine.options)
    if name not in hints or name == "options":
        raise ConfigError(f"no choice {name!r}; `kerasplm tasks NAME` lists them")
    return typed(name, text, hints[name])


def typed_choices(
    more: Sequence[str], hints: Mapping[str, Any], check: Callable[[str], None]
) -> dict[str, Any]:
    """Return the choices that were given as NAME=VALUE, for known names and types.

    Args:
        more: The texts.
        hints: Name to type.
        check: Raises an error about a name that is none of them.

    Raises:
        ConfigError: A choice does not exist, or its value has another type.
    """
    found = {}
    for name, text in map(halves, more):
        check(name)
        found[name] = typed(name, text, hints[name])
    return found


def numbers(name: str, text: str | None, example: str = "-1,-2") -> list[int] | None:
    """Return the numbers of a list such as -1,-2; None stays None.

    Args:
        name: Of the choice, for the message.
        text: As the user wrote it.
        example: Such a list, for the message.

    Raises:
        ConfigError: The text is no such list.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"{name}: expected numbers such as {example}. Received: {text!r}"
        ) from error


def typed(name: str, text: str, hint: Any) -> Any:
    """Return a value of a type.

    Args:
        name: Of the choice, for the message.
        text: As the user wrote it.
        hint: The type.

    Raises:
        ConfigError: The text is no such value.
    """
    from kerasplm.tasks.choices import fits, kinds_of, told

    if text in ("none", "None") and fits(None, hint):
        return None
    if fits(text, hint):
        return text
    for written in (text, text.lower()):
        try:
            value = json.loads(written)
        except ValueError:
            continue
        if fits(value, hint):
            if isinstance(value, list):
                return tuple(value)
            as_float = type(value) is int and not any(k is int for k in kinds_of(hint))
            return float(value) if as_float else value
    raise ConfigError(f"{name}: expected {told(hint)}, found {text!r}")
