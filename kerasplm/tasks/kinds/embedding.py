"""Sentence embeddings: pairs of texts with one meaning lie close together."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import DataError
from kerasplm.evaluation.correlations import spearman_correlation
from kerasplm.evaluation.similarity import (
    area_under_curve,
    best_threshold,
    retrieval_ranks,
)
from kerasplm.files import write_json_lines
from kerasplm.task_models import SentenceEncoder
from kerasplm.task_models.embedding import Pooling
from kerasplm.tasks.features import Features
from kerasplm.tasks.kinds.base import Kind, Options, Scores
from kerasplm.tasks.kinds.regression import defined
from kerasplm.tasks.kinds.texts import text_features
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.targets import ClassTargets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

# The threshold of ZhuiyiTechnology/simbert retrieval_test.py.
_FIXED = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingOptions(Options):
    """Choices for sentence embeddings.

    Args:
        pooling: As for `SentenceEncoder`.
        scale: As for `SentenceEncoder`.
    """

    pooling: Pooling = "pooled"
    scale: float = 30.0

    @property
    def stride(self) -> int:
        """Tokens between windows: 0, long texts are truncated."""
        return 0


@dataclasses.dataclass(frozen=True, slots=True)
class SimilarityPrediction:
    """What a model says of a pair.

    Args:
        cosine: Of the angle between the two vectors.
        vectors: (2, D) float32 of length 1.
    """

    cosine: float
    vectors: np.ndarray


class Embedding(Kind):
    """Pairs of texts; "1" is a pair with one meaning, anything else is not.

    Pairs with one meaning are trained; the others are for scoring only.
    """

    name = "embedding"
    row = TextRow
    metric = "spearman"
    options = EmbeddingOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize both texts of each pair, one after the other.

        Raises:
            DataError: A row has one text only.
        """
        for row in rows:
            if row.pair is None:
                raise DataError(f"row {row.id!r}: expected two texts, found one")
        singles = [TextRow(r.id, text) for r in rows for text in (r.text, r.pair)]
        found = text_features(singles, tokenizer, settings)
        owner = np.arange(len(rows))
        features = dataclasses.replace(found, owner=owner, choices=2)
        if any(row.label is None for row in rows):
            return features
        targets = ClassTargets(np.array([_alike(row) for row in rows], "int32"))
        return dataclasses.replace(features, targets=targets)

    def training_rows(self, rows: Sequence[Any]) -> list[Any]:
        """Return the pairs with one meaning.

        Raises:
            DataError: There are none.
        """
        found = [row for row in rows if _alike(row)]
        if not found:
            raise DataError("expected pairs with the label '1' to train on, found none")
        return found

    def model(
        self, task: "Task", encoder: Encoder, settings: "Settings"
    ) -> SentenceEncoder:
        """Return a model with one vector for each text."""
        options = settings.options
        return SentenceEncoder(
            encoder, pooling=options.pooling, scale=options.scale, task=task.name
        )

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the vectors (2, D) of each pair."""
        lengths = np.linalg.norm(outputs, axis=-1, keepdims=True)
        return list(outputs / np.maximum(lengths, 1e-6))

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Return cosines."""
        return [SimilarityPrediction(float(v[0] @ v[1]), v) for v in found]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Score the cosines as a test for pairs, and the vectors for retrieval.

        `spearman` is the correlation with the labels, `accuracy` that of the best
        `threshold`, `accuracy_0.9` that of SimBERT's, `auc` the area under the ROC
        curve. In retrieval the first text of a pair with one meaning searches for the
        second among the second texts of all those pairs: `recall_1`, `recall_5`, and
        `mrr`, the mean of 1 / rank. A score that is not defined, since all pairs are
        alike or none, is left out; `spearman` is 0.
        """
        alike = [_alike(row) for row in rows]
        cosines = np.array([p.cosine for p in predictions])
        threshold, share = best_threshold(alike, cosines)
        scores: Scores = {
            "spearman": defined(spearman_correlation(alike, cosines)),
            "accuracy": share,
            "accuracy_0.9": float(np.mean((cosines > _FIXED) == alike)),
        }
        if any(alike) and not all(alike):
            scores |= {
                "threshold": min(threshold, 1.0),
                "auc": area_under_curve(alike, cosines),
            }
        if any(alike):
            pairs = [
                (r, p) for r, p in zip(rows, predictions, strict=True) if _alike(r)
            ]
            ranks = retrieval_ranks(
                [row.text for row, _ in pairs],
                [row.pair for row, _ in pairs],
                np.stack([p.vectors[0] for _, p in pairs]),
                np.stack([p.vectors[1] for _, p in pairs]),
            )
            scores |= {
                "recall_1": float(np.mean(ranks <= 1)),
                "recall_5": float(np.mean(ranks <= 5)),
                "mrr": float(np.mean(1 / ranks)),
            }
        return scores | {"examples": len(rows)}

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return how far each cosine is from 1, of other pairs how far above 0."""
        cosines = np.array([p.cosine for p in predictions])
        alike = np.array([_alike(row) for row in rows])
        return np.where(alike, 1 - cosines, np.maximum(cosines, 0.0))

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id and cosine."""
        return {"id": row.id, "cosine": round(prediction.cosine, 6)}

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write one JSON object per line: id and cosine."""
        pairs = zip(rows, predictions, strict=True)
        write_json_lines(path, (self.show(task, row, p) for row, p in pairs))


def _alike(row: Any) -> bool:
    return str(row.label) == "1"
