"""Other rows for a vocabulary while a checkpoint is read: fewer, more, or both."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasplm.checkpoint import Weights
from kerasplm.errors import VocabError
from kerasplm.families import Match
from kerasplm.families.base import VOCABULARY_AXES

Compound = Sequence[int] | tuple[Sequence[int], Sequence[float]]
"""Ids whose rows are averaged; or ids and the weight of each."""


def vocabulary_axes(found: Match) -> dict[str, int]:
    """Return the variables with one slice per token, and the axis of the slices.

    Args:
        found: The family and its view of the variables.

    Returns:
        Axes by checkpoint name, as the checkpoint stores the variables.
    """
    axes = {}
    for path, axis in VOCABULARY_AXES.items():
        if path in found.names:
            # A transposed weight is a matrix: its other axis.
            stored = 1 - axis if found.family.theirs(path)[1] else axis
            axes[found.names[path]] = stored
    return axes


def check_ids(ids: Iterable[Any], rows: int, what: str) -> list[int]:
    """Return the ids as integers.

    Args:
        ids: Integers of Python or numpy.
        rows: Ids must be below it.
        what: What they are, for messages.

    Raises:
        VocabError: There is none, or one is no integer or out of range.
    """
    out: list[int] = []
    if not isinstance(ids, Iterable):
        raise VocabError(f"{what}: expected ids, found {ids!r}")
    for n, i in enumerate(ids):
        try:
            if isinstance(i, bool | np.bool_):  # a mask is no list of ids
                raise TypeError
            out.append(operator.index(i))
        except TypeError as error:
            raise VocabError(
                f"{what}: expected integers, found {i!r} at place {n}"
            ) from error
        if not 0 <= out[-1] < rows:
            raise VocabError(
                f"{what}: expected ids from 0 to {rows - 1}, found {i} at place {n}"
            )
    if not out:
        raise VocabError(f"{what}: expected ids, found none")
    return out


class ResizedVocabulary:
    """A view on a checkpoint in which the vocabulary has other rows.

    Names stay, shapes and values of the variables with one slice per token change
    together: first the rows to keep, in the order of their ids, then the averages.
    It satisfies `checkpoint.Weights`, so every format and family is read through it.

    Args:
        reader: The checkpoint.
        axes: Variables with one slice per token, and the axis of the slices.
        keep_tokens: Ids of the rows to keep, in the new order; None keeps all. A
            repeated id repeats its row.
        compound_tokens: For each new row the ids that are averaged, or a pair of ids
            and weights. The ids count the rows that were kept.

    Raises:
        VocabError: An id is out of range or no integer, a list of ids is empty,
            weights do not fit their ids, or the variables have different numbers of
            rows.

    Source: `load_embeddings` of bojone/bert4keras models.py.
    """

    def __init__(
        self,
        reader: Weights,
        axes: Mapping[str, int],
        keep_tokens: Iterable[int] | None = None,
        compound_tokens: Iterable[Compound] | None = None,
    ) -> None:
        self.prefix, self.sizes = reader.prefix, reader.sizes
        self.families = reader.families
        self._reader, self._axes = reader, dict(axes)
        sizes = {name: reader.shapes[name][axis] for name, axis in axes.items()}
        if len(set(sizes.values())) != 1:
            found = ", ".join(f"{name}: {size}" for name, size in sizes.items())
            raise VocabError(
                f"{reader.prefix}: expected the same number of rows in all variables "
                f"of the vocabulary, found {found or 'no such variable'}"
            )
        self.rows_before = next(iter(sizes.values()))
        self._keep: list[int] | None = None
        if keep_tokens is not None:
            where = f"{reader.prefix}: keep_tokens"
            self._keep = check_ids(keep_tokens, self.rows_before, where)
        self.rows_kept = self.rows_before if self._keep is None else len(self._keep)
        if not isinstance(compound_tokens, Iterable | None):
            raise VocabError(
                f"{reader.prefix}: compound_tokens: expected a list of ids for each "
                f"new row, found {compound_tokens!r}"
            )
        self._groups = [
            _group(item, self.rows_kept, f"{reader.prefix}: compound_tokens[{n}]")
            for n, item in enumerate(() if compound_tokens is None else compound_tokens)
        ]
        self.rows_made = len(self._groups)
        self.rows = self.rows_kept + self.rows_made
        self.shapes = dict(reader.shapes)
        for name, axis in axes.items():
            shape = reader.shapes[name]
            self.shapes[name] = (*shape[:axis], self.rows, *shape[axis + 1 :])

    def read(self, name: str) -> Any:
        """Return one tensor, of the vocabulary with its new rows."""
        value = self._reader.read(name)
        if name not in self._axes:
            return value
        axis, value = self._axes[name], np.asarray(value)
        if self._keep is not None:
            value = np.take(value, self._keep, axis)
        if not self._groups:
            return value
        made = [
            np.tensordot(shares, np.take(value, ids, axis), (0, axis))
            for ids, shares in self._groups
        ]
        return np.concatenate([value, np.stack(made, axis).astype(value.dtype)], axis)


def _group(item: Any, rows: int, what: str) -> tuple[list[int], np.ndarray]:
    """Return the ids of a new row and the share of each (float64, sum 1)."""
    if isinstance(item, str) or not isinstance(item, Iterable):
        raise VocabError(f"{what}: expected ids, found {item!r}")
    parts = list(item)
    weighted = len(parts) == 2 and all(isinstance(part, Iterable) for part in parts)
    ids = check_ids(parts[0] if weighted else parts, rows, what)
    if not weighted:
        return ids, np.full(len(ids), 1 / len(ids))
    try:
        weights = np.array(list(parts[1]), "float64")
    except (TypeError, ValueError) as error:
        raise VocabError(
            f"{what}: expected weights as numbers, found {parts[1]!r}"
        ) from error
    if weights.shape != (len(ids),):
        raise VocabError(
            f"{what}: expected one weight for each of {len(ids)} ids, found "
            f"{list(weights.shape)}"
        )
    if not np.isfinite(weights).all() or weights.sum() == 0:
        raise VocabError(
            f"{what}: expected finite weights with a sum that is not 0, found "
            f"{weights.tolist()}"
        )
    return ids, weights / weights.sum()
