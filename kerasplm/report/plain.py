"""Values as JSON, Markdown, HTML and people take them."""

import dataclasses
import html
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_SHARES = 5
# In the scores of a split, but no shares.
COUNTS = ("loss", "examples")


def plain(value: Any) -> Any:
    """Return a value as strict JSON has it.

    Args:
        value: Of numbers, texts, arrays, dataclasses, mappings, sequences.

    Returns:
        The same of dict, list, str, int, float, bool and None. What is not a finite
        number becomes None, half a surrogate pair "?", anything else its text.

    Example:
        >>> plain({"a": np.float32("nan"), 1: (np.int64(2),)})
        {'a': None, '1': [2]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(x) for x in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")


def readable(value: Any) -> str:
    """Return a plain value as short lines "name: value".

    Of more than five shares by name the largest are told.

    Args:
        value: From `plain`.

    Example:
        >>> readable({"text": "好", "label": None})
        'text: 好'
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "; ".join(readable(x).replace("\n", ", ") for x in value)
    if not isinstance(value, dict):
        return str(value)
    numbers = [x for x in value.values() if isinstance(x, float)]
    if numbers and len(numbers) == len(value) > _MOST_SHARES:
        largest = sorted(value.items(), key=lambda item: -item[1])[:_MOST_SHARES]
        return readable(dict(largest)) + "\n..."
    lines = []
    for name, x in value.items():
        if x is not None:
            text = readable(x)
            lines.append(
                f"{name}: "
                + (text.replace("\n", ", ") if isinstance(x, dict) else text)
            )
    return "\n".join(lines)


def percent(value: Any) -> str:
    """Return a share in percent, as published tables write it; "" for none."""
    return "" if value is None else f"{100 * value:.1f}"


def best_and_mean(best: float | None, mean: float | None) -> str:
    """Return "best (mean)" of numbers in percent, or the one that there is."""
    if best is None or mean is None:
        one = mean if best is None else best
        return "" if one is None else f"{one:.1f}"
    return f"{best:.1f} ({mean:.1f})"


def shortened(text: str, most: int) -> str:
    """Return a text that is cut, visibly, behind so many characters."""
    return text if len(text) <= most else text[:most] + f"... ({len(text)} characters)"


def in_html(text: object) -> str:
    """Return a text that means only itself in HTML; lines stay lines."""
    escaped = html.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(plain(text))))
    return "<br>".join(escaped.splitlines())


def in_markdown(text: object) -> str:
    """Return a text that means only itself in Markdown, also in a table's cell."""
    return _MARKDOWN.sub(r"\\\1", in_html(text))
