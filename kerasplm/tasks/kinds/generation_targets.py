"""Texts to write, as the model is told them."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kerasplm.task_models.generation import TEACHER
from kerasplm.tasks.features import Features
from kerasplm.tasks.targets import Targets, places_in, ragged


@dataclasses.dataclass(frozen=True)
class TextTargets(Targets):
    """One text per feature, which stands at the end of its sequence.

    Args:
        ids: (tokens of all targets,) int32, end tokens included.
        starts: (features + 1,), where each target begins.
        sources: (features,) int32, tokens before the target in the sequence.
    """

    ids: np.ndarray
    starts: np.ndarray
    sources: np.ndarray
    teacher: ClassVar[tuple[str, ...]] = TEACHER
    fixed: ClassVar[bool] = False
    signature: ClassVar[Any] = {
        "target_ids": tf.TensorSpec([None, None], tf.int32),
        "target_mask": tf.TensorSpec([None, None], tf.bool),
        "target_positions": tf.TensorSpec([None, None], tf.int32),
    }

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], sources: Sequence[int]) -> "TextTargets":
        """Return the targets of some features.

        Args:
            rows: Tokens of each target.
            sources: Tokens before each of them.
        """
        ids, starts = ragged([list(row) for row in rows])
        return cls(ids, starts, np.asarray(sources, "int32"))

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return `target_ids`, `target_mask` and `target_positions`, (B, M) each."""
        at, mask = places_in(self.starts, chosen)
        ids = np.zeros(mask.shape, "int32")
        ids[mask] = self.ids[at]
        places = self.sources[chosen][:, None] + np.arange(mask.shape[1])
        # Behind the end of a target any place will do, if the sequence has it.
        positions = np.where(mask, places, 1).astype("int32")
        return {"target_ids": ids, "target_mask": mask, "target_positions": positions}

    def first(self, count: int) -> "TextTargets":
        """Return the targets of the first features."""
        starts = self.starts[: count + 1]
        return TextTargets(self.ids[: starts[-1]], starts, self.sources[:count])


def first_features(features: Features, count: int) -> Features:
    """Return the first features, if they have `TextTargets`, and nothing else."""
    starts = features.starts[: count + 1]
    assert isinstance(features.targets, TextTargets)
    return dataclasses.replace(
        features,
        token_ids=features.token_ids[: starts[-1]],
        segment_ids=features.segment_ids[: starts[-1]],
        starts=starts,
        owner=features.owner[:count],
        targets=features.targets.first(count),
    )
