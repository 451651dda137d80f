"""How alike two texts are."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasplm.errors import ConfigError, DataError
from kerasplm.pipelines.base import Pipeline
from kerasplm.pipelines.items import text_of, texts_of
from kerasplm.pipelines.judged import TextClassification
from kerasplm.pipelines.vectors import FeatureExtraction
from kerasplm.retrieval import unit_vectors
from kerasplm.task_models import TaskModel

Texts = str | Sequence[str]


class Similarity(Pipeline):
    """Compare texts: {"score"}, the cosine of their vectors.

    A classifier of pairs with two classes compares them itself: "score" is then the
    probability of its second class, and "probabilities" lists those of both, different
    and alike.

    Args:
        model: A classifier of pairs with two classes, or what `FeatureExtraction`
            takes.
        tokenizer: From `load_tokenizer`.
        pair: Whether a classifier is one of pairs; default is what the model says.
        **options: As for `FeatureExtraction`, or `TextClassification`.

    Raises:
        ConfigError: It is a classifier of something else.

    Source: brightmart/albert_zh similarity.py (probabilities).
    """

    task = "similarity"
    fields = ("text", "pair")
    required = 2

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        pair: bool | None = None,
        **options: Any,
    ) -> None:
        self.classifier: TextClassification | None = None
        if isinstance(model, TaskModel) and model.kind == "classification":
            paired = model.pair if pair is None else pair
            if len(model.labels) != 2 or not paired:
                raise ConfigError(
                    "similarity: expected a classifier of pairs with two classes, "
                    f"found one of {'pairs' if paired else 'single texts'} with the "
                    f"classes {', '.join(model.labels)}"
                )
            judge = TextClassification(model, tokenizer, pair=True, **options)
            self.classifier = judge
            self._inner: Pipeline = judge
        else:
            options.pop("trained", None)
            self._inner = self.encoding = FeatureExtraction(model, tokenizer, **options)
        inner = self._inner
        super().__init__(
            model,
            tokenizer,
            batch_size=inner.batch_size,
            max_length=inner.max_length,
        )

    def __call__(self, inputs: Any, second: Any = None) -> Any:
        """Compare pairs, or every text of one list with every text of another.

        Args:
            inputs: As for `Pipeline`: a pair of texts, a list or another iterable of
                pairs; or, with `second`, a text or a list of N texts.
            second: A text or a list of M texts.

        Returns:
            One dictionary per pair; with lists of texts the scores as N lists of M
            numbers.
        """
        if second is None:
            return super().__call__(inputs)
        if isinstance(inputs, str) and isinstance(second, str):
            return super().__call__((inputs, second))
        return self.matrix(inputs, second).tolist()

    @property
    def traces(self) -> int:
        """How many graphs were traced so far."""
        return self._inner.traces

    def read(self, item: Any, number: int) -> tuple[str, str]:
        """Return two texts."""
        first, second = texts_of(item, self.fields, 2, number)
        return str(first), str(second)

    def run(self, rows: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return the score of each pair."""
        if self.classifier is not None:
            return [
                {"score": float(p[1]), "probabilities": p.tolist()}
                for p in self.predict_sentences(rows)
            ]
        texts = list(dict.fromkeys(text for row in rows for text in row))
        place = {text: n for n, text in enumerate(texts)}
        vectors = unit_vectors(self.encoding.embed([(text, None) for text in texts]))
        return [
            {"score": float(vectors[place[a]] @ vectors[place[b]])} for a, b in rows
        ]

    def matrix(self, firsts: Texts, seconds: Texts) -> np.ndarray:
        """Return the score of each text with each other text, (N, M) float32.

        Args:
            firsts: N texts.
            seconds: M texts.
        """
        first, second = _texts(firsts), _texts(seconds)
        if self.classifier is None:
            a, b = (
                unit_vectors(self.encoding.vectors(texts)) for texts in (first, second)
            )
            return a @ b.T
        pairs = [(a, b) for a in first for b in second]
        return self.predict_sentences(pairs)[:, 1].reshape(len(first), len(second))

    def predict_sentences(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the probabilities of different and alike, (N, 2) float32.

        Args:
            pairs: N pairs of texts.

        Raises:
            ConfigError: The model is no classifier.

        Source: `BertSim.predict_sentences` of brightmart/albert_zh similarity.py.
        """
        if self.classifier is None:
            raise ConfigError(
                "predict_sentences: expected a classifier of pairs, found a "
                f"{type(self.model).__name__}, which gives cosines"
            )
        classify = self.classifier
        found = [p for rows in classify.rows(pairs) for p in classify.predict(rows)]
        rows = [p.probabilities for p in found]
        return np.array(rows, "float32").reshape(-1, 2)


def _texts(texts: Texts) -> list[str]:
    found = [texts] if isinstance(texts, str) else texts
    if not isinstance(found, list | tuple):
        raise DataError(
            f"expected a text or a list of texts, found {type(texts).__name__}"
        )
    return [text_of(text, "a text", n) for n, text in enumerate(found)]
