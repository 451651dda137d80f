"""What a model takes: token ids of all rows, without padding, cut into windows."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from kerasplm.tasks.targets import Targets, places_in

Plan = list[np.ndarray]


class Batches(Protocol):
    """What `dataset_of` takes: `Features`, or features in another layout."""

    @property
    def signature(self) -> Any:
        """Shapes and types of a batch, for `tf.data`."""

    def batch(self, chosen: np.ndarray, rng: np.random.Generator) -> Any:
        """Return inputs, or (inputs, targets)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """Token ids of all features, one sequence after the other, without padding.

    A feature is what a model judges at once: a text, a pair, a window of a long
    text, or a question with all its choices (several sequences).

    Args:
        token_ids: (tokens of all sequences,) int32.
        segment_ids: The same shape, int8.
        starts: (sequences + 1,), where each sequence begins.
        pad_id: Id of padding.
        owner: (features,), the row of each feature; rows are in order.
        choices: Sequences per feature; 0 = one, and batches have no axis for them.
            The last ones may be empty.
        targets: What the model shall say; None if the file does not tell.
        places: (tokens, 2) int32: the characters [start, end) of the row's text from
            which each token comes, (-1, -1) for special tokens and other texts. None
            where nothing needs them.
        best: (tokens,) bool: whether this window is the one in which the token has
            the most context; None where nothing needs it.
        allowed: (tokens,) bool, the model's input `allowed_mask` (B, T): where an
            answer may lie. None if the model takes no such input.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    starts: np.ndarray
    pad_id: int
    owner: np.ndarray
    choices: int = 0
    targets: Targets | None = None
    places: np.ndarray | None = None
    best: np.ndarray | None = None
    allowed: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.owner)

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each feature; of its longest sequence, if it has several."""
        found = np.diff(self.starts)
        return found.reshape(-1, self.choices).max(1) if self.choices else found

    def span(self, feature: int) -> slice:
        """Return where the tokens of a feature of one sequence lie."""
        return slice(int(self.starts[feature]), int(self.starts[feature + 1]))

    def characters(self, feature: int, start: int, end: int) -> tuple[int, int]:
        """Return the characters from which some tokens of a feature come.

        Args:
            feature: Number of the feature.
            start: First token, counted in the feature.
            end: One behind the last token; a negative number counts from its end.

        Returns:
            First character and one behind the last, -1 for a special token.
        """
        if self.places is None:
            raise ValueError("these features do not know their characters")
        places = self.places[self.span(feature)][start:end]
        return (int(places[0, 0]), int(places[-1, 1])) if len(places) else (-1, -1)

    def inputs(
        self, chosen: np.ndarray, length: int | None = None
    ) -> dict[str, np.ndarray]:
        """Return the features padded to the longest of them.

        Args:
            chosen: Numbers of the features.
            length: T, if all batches shall have one shape.

        Returns:
            `token_ids`, `segment_ids`, `padding_mask` and, if there is one,
            `allowed_mask`, all (B, T); or (B, C, T) for C choices. Choices that are
            empty in all of these features are left out, if no length is given.
        """
        if self.choices:
            filled = np.diff(self.starts).reshape(-1, self.choices)[chosen] > 0
            count = self.choices if length else max(filled.sum(1).max(initial=0), 1)
            many = np.arange(count)
            sequences = (chosen[:, None] * self.choices + many).reshape(-1)
        else:
            sequences = chosen
        at, mask = places_in(self.starts, sequences)
        if length:
            mask = np.pad(mask, ((0, 0), (0, length - mask.shape[1])))
        token_ids = np.full(mask.shape, self.pad_id, "int32")
        segment_ids = np.zeros(mask.shape, "int32")
        token_ids[mask] = self.token_ids[at]
        segment_ids[mask] = self.segment_ids[at]
        inputs = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": mask,
        }
        if self.allowed is not None:
            inputs["allowed_mask"] = np.zeros(mask.shape, bool)
            inputs["allowed_mask"][mask] = self.allowed[at]
        if self.choices:
            shape = (len(chosen), len(many), mask.shape[1])
            inputs = {name: x.reshape(shape) for name, x in inputs.items()}
        return inputs

    def batch(
        self,
        chosen: np.ndarray,
        rng: np.random.Generator | None = None,
        length: int | None = None,
    ) -> Any:
        """Return inputs, or (inputs, targets) if there are targets.

        Args:
            chosen: Numbers of the features.
            rng: For targets that are drawn anew; default draws the same each time.
            length: As for `inputs`.
        """
        inputs = self.inputs(chosen, length)
        if self.targets is None:
            return inputs
        rng = np.random.default_rng(0) if rng is None else rng
        width = inputs["token_ids"].shape[-1]
        targets = self.targets.batch(chosen, width, rng)
        told = {name: targets[name] for name in self.targets.teacher}
        return inputs | told, targets

    def repeatable(self, chosen: np.ndarray) -> Any:
        """Return a batch whose drawn targets depend on its first feature alone."""
        return self.batch(chosen, np.random.default_rng([0, int(chosen[0])]))

    @property
    def signature(self) -> Any:
        """Shapes and types of a batch, for `tf.data`."""
        shape = [None] * (3 if self.choices else 2)
        ids, mask = tf.TensorSpec(shape, tf.int32), tf.TensorSpec(shape, tf.bool)
        inputs = {"token_ids": ids, "segment_ids": ids, "padding_mask": mask}
        if self.allowed is not None:
            inputs["allowed_mask"] = mask
        if self.targets is None:
            return inputs
        wanted = self.targets.signature
        return inputs | {name: wanted[name] for name in self.targets.teacher}, wanted


def joined(
    sequences: Sequence[tuple[Sequence[int], Sequence[int]]],
    pad_id: int,
    owner: Sequence[int] | None = None,
    **more: Any,
) -> Features:
    """Return features of single sequences.

    Args:
        sequences: Token ids and segment ids of each.
        pad_id: Id of padding.
        owner: The row of each feature; default one feature per row.
        **more: Other arguments of `Features`.
    """
    lengths = [len(ids) for ids, _ in sequences]
    choices = more.get("choices", 0)
    count = len(sequences) // choices if choices else len(sequences)
    return Features(
        token_ids=_flat((ids for ids, _ in sequences), "int32"),
        segment_ids=_flat((segments for _, segments in sequences), "int8"),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype("int64"),
        pad_id=pad_id,
        owner=np.arange(count) if owner is None else np.asarray(owner, "int64"),
        **more,
    )


def _flat(rows: Iterable[Sequence[int]], dtype: str) -> np.ndarray:
    parts = [np.asarray(row, dtype) for row in rows]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def dataset_of(
    features: Batches,
    epochs: Iterable[tuple[Plan, Sequence[int]]],
    in_one_pass: bool = False,
) -> tf.data.Dataset:
    """Return batches as `tf.data`.

    Args:
        features: The features.
        epochs: For each epoch the numbers of the features of its batches, and the
            seed of targets that are drawn anew.
        in_one_pass: Whether one iteration of the dataset goes through all epochs; if
            not, each iteration takes the next one.
    """
    source: Iterator[tuple[Plan, Sequence[int]]] = iter(epochs)

    def generate() -> Iterator[Any]:
        for plan, seed in source if in_one_pass else [next(source)]:
            for chosen in plan:
                # The features name the batch: a resumed epoch draws the same.
                rng = np.random.default_rng([*seed, int(chosen[0])])
                yield features.batch(chosen, rng)

    data = tf.data.Dataset.from_generator(generate, output_signature=features.signature)
    return data.prefetch(tf.data.AUTOTUNE)
