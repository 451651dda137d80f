"""The catalogue: every released model, where it lies and what it holds.

Rows are data: nothing is fetched, and neither Keras nor TensorFlow is imported here.
"""

import difflib
import fnmatch

from kerasplm.catalogue import albert, bert, electra, nezha, tinybert, zhuiyi
from kerasplm.catalogue.base import (
    VOCABULARIES,
    Archive,
    Entry,
    HuggingFace,
    Manual,
    Vocabulary,
)
from kerasplm.errors import CatalogueError

__all__ = [
    "CATALOGUE",
    "VOCABULARIES",
    "Archive",
    "CatalogueError",
    "Entry",
    "HuggingFace",
    "Manual",
    "Vocabulary",
    "list_models",
    "model_info",
]

_MODULES = (bert, albert, electra, nezha, zhuiyi, tinybert)
CATALOGUE: dict[str, Entry] = {
    entry.name: entry for module in _MODULES for entry in module.ROWS
}


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of the released models that fit a pattern, sorted.

    Args:
        pattern: Shell pattern such as "*electra*" or "*.hfl"; case does not matter.

    Returns:
        The names; [] if none fits.

    Example:
        >>> list_models("albert-x*.google")
        ['albert-xlarge-zh.google', 'albert-xxlarge-zh.google']
    """
    pattern = pattern.lower()
    return sorted(name for name in CATALOGUE if fnmatch.fnmatchcase(name, pattern))


def model_info(name: str) -> Entry:
    """Return what the catalogue says of a model.

    Args:
        name: As `list_models` gives it; case does not matter.

    Returns:
        The row; `describe()` gives it as text.

    Raises:
        CatalogueError: There is no such model; the message has the closest names.

    Example:
        >>> model_info("nezha-base-wwm-zh.huawei").licence
        'Apache-2.0'
    """
    entry = CATALOGUE.get(name.lower())
    if entry is None:
        close = difflib.get_close_matches(name.lower(), CATALOGUE, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else ""
        raise CatalogueError(
            f"{name!r}: no such model in the catalogue. "
            f"{hint or 'list_models() gives all names.'}"
        )
    return entry
