"""Vectors of texts and of tokens."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.files import temporary_folder
from kerasplm.identity import digest_of
from kerasplm.pipelines.base import Pipeline
from kerasplm.pipelines.items import texts_of
from kerasplm.task_models import TaskModel
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.graphs import Graph, each

Pooling = Literal["mean", "cls", "max", "pooled", "first_last"]
Pair = tuple[str, str | None]
# Between two texts on a line, as in extract_features.py of BERT.
SEPARATOR = " ||| "
_OWN_LAYERS = ("pooled", "first_last")
_TOKEN_LAYERS = (-1, -2, -3, -4)


class FeatureExtraction(Pipeline):
    """Give each text, or pair of texts, a vector: {"vector": [D numbers]}.

    Args:
        model: An `Encoder`, or a model with one; a model for sentence embeddings
            (kind "embedding") gives its own vectors.
        tokenizer: From `load_tokenizer`.
        batch_size: As for `Pipeline`.
        max_length: As for `Pipeline`; longer texts lose their last tokens.
        pooling: "mean" or "max" over all tokens with [CLS] and [SEP]; "cls" the vector
            of [CLS]; "pooled" the encoder's `pooled_output`; "first_last" the mean
            over the tokens of the first and the last layer. Default is "pooled" for
            a linear pooler (SimBERT's, which is trained to compare texts) unless
            layers are chosen, else "mean".
        layers: Of which layers the mean is taken before pooling: 0 is the output of
            the first block, -1 of the last. Default is the last.

    Raises:
        ConfigError: There is no such pooling or layer, or they contradict each other.

    Source: google-research/bert extract_features.py (layers, lines);
        bojone/BERT-whitening ("first_last").
    """

    task = "feature-extraction"
    fields = ("text", "pair")

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        batch_size: int = 32,
        max_length: int | None = None,
        pooling: Pooling | None = None,
        layers: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(getattr(model, "encoder", model), Encoder):
            raise ConfigError(
                f"{self.task}: expected a model with an encoder, found a "
                f"{type(model).__name__}"
            )
        super().__init__(model, tokenizer, batch_size=batch_size, max_length=max_length)
        own = isinstance(model, TaskModel) and model.kind == "embedding"
        if own and (pooling or layers):
            raise ConfigError(
                "the model pools its vectors as it was trained: leave out pooling and "
                "layers"
            )
        trained = self.encoder.config.pooler == "linear" and layers is None
        self.pooling = pooling or ("pooled" if trained else "mean")
        if self.pooling not in get_args(Pooling):
            raise ConfigError(
                f"pooling must be one of {', '.join(get_args(Pooling))}. Received: "
                f"{pooling!r}"
            )
        if layers is not None and self.pooling in _OWN_LAYERS:
            raise ConfigError(f"pooling={pooling!r} takes no layers")
        self.layers = (0, -1) if self.pooling == "first_last" else tuple(layers or [-1])
        self._check(self.layers)
        self._is_own = own
        self._pool = Graph(self._own if own else self._pooled)
        self._states = Graph(lambda inputs: self._hidden(inputs)[1])
        self.vocab = self.tokenizer.vocab

    def facts(self) -> dict[str, Any]:
        """Return what decides the vector of a text: equal facts give equal vectors."""
        facts: dict[str, Any] = {"max_length": self.max_length}
        if not self._is_own:
            chosen = self.pooling not in _OWN_LAYERS
            facts |= {
                "pooling": self.pooling,
                "layers": list(self.layers) if chosen else None,
            }
        own = self.model.facts() if self._is_own else {}
        return facts | {"model": digest_of(self.encoder, self.tokenizer, own)}

    @property
    def traces(self) -> int:
        """How many graphs were traced so far."""
        return self._pool.traces + self._states.traces

    def read(self, item: Any, number: int) -> Pair:
        """Return a text and the second one, or None."""
        text, pair = texts_of(item, self.fields, 1, number)
        return str(text), pair

    def run(self, rows: Sequence[Pair]) -> list[dict[str, Any]]:
        """Return the vectors as lists."""
        return [{"vector": vector.tolist()} for vector in self.embed(rows)]

    def vectors(self, items: Iterable[Any]) -> np.ndarray:
        """Return the vectors of items as one array (N, D) float32."""
        parts = [self.embed(rows) for rows in self.rows(items)]
        empty = np.empty((0, self.encoder.config.hidden_size), "float32")
        return np.concatenate([empty, *parts])

    def embed(self, rows: Sequence[Pair]) -> np.ndarray:
        """Return (N, D) float32 for what `read` returned."""
        features = self._features(rows)
        out = np.empty((len(rows), self.encoder.config.hidden_size), "float32")

        def ask(chosen: np.ndarray) -> np.ndarray:
            inputs = features.inputs(chosen)
            return np.asarray(self._pool([features.signature], inputs))

        for chosen, vectors in each(features, self.batch_size, ask):
            out[chosen] = vectors
        return out

    def tokens(
        self, items: Iterable[Any], layers: Sequence[int] = _TOKEN_LAYERS
    ) -> Iterator[dict[str, Any]]:
        """Yield the vectors of all tokens, as extract_features.py of BERT writes them.

        Args:
            items: Texts or pairs.
            layers: Which, in the order of the output; 0 is the first block's output.

        Yields:
            {"linex_index": number of the item, "features": [{"token", "layers":
            [{"index", "values"}]}]}, with [CLS] and [SEP]; values have 6 decimals.
        """
        self._check(layers)
        number = 0
        for rows in self.rows(items):
            features = self._features(rows)
            for n, states in enumerate(self._of_tokens(features, layers)):
                ids = features.token_ids[features.span(n)]
                listed = [
                    {
                        "token": self.vocab[token],
                        "layers": [
                            {
                                "index": layer,
                                "values": [round(float(x), 6) for x in values],
                            }
                            for layer, values in zip(layers, by_layer, strict=True)
                        ],
                    }
                    for token, by_layer in zip(ids, states.swapaxes(0, 1), strict=True)
                ]
                yield {"linex_index": number, "features": listed}
                number += 1

    def _of_tokens(self, features: Features, layers: Sequence[int]) -> list[np.ndarray]:
        """Return the vectors (layers, T, D) of every text."""

        def ask(chosen: np.ndarray) -> np.ndarray:
            inputs = features.inputs(chosen)
            states = self._states([features.signature], inputs)
            return np.stack([states[layer] for layer in layers])

        found: list[Any] = [None] * len(features)
        for chosen, states in each(features, self.batch_size, ask):
            for b, n in enumerate(chosen):
                found[n] = states[:, b, : features.lengths[n]]
        return found

    def write_tokens(
        self,
        path: str | Path,
        items: Iterable[Any],
        layers: Sequence[int] = _TOKEN_LAYERS,
    ) -> None:
        """Write what `tokens` yields, one JSON object per line.

        The file appears only when complete.

        Args:
            path: The file, such as "features.jsonl".
            items: Texts or pairs; `split_line` makes them of lines.
            layers: As for `tokens`.

        Example:
            >>> with open("input.txt", encoding="utf-8") as file:  # doctest: +SKIP
            ...     extract.write_tokens("out.jsonl", map(split_line, file))
        """
        target = Path(path).expanduser()
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(target.parent) as folder:
            with (folder / "file").open("w", encoding="utf-8") as file:
                for record in self.tokens(items, layers):
                    file.write(json.dumps(record) + "\n")
            os.replace(folder / "file", target)

    def _features(self, rows: Sequence[Pair]) -> Features:
        sequences = []
        for text, pair in rows:
            found = self.tokenizer.encode_offsets(
                text, pair, max_length=self.max_length
            )
            sequences.append(found[:2])
        return joined(sequences, self.tokenizer.pad_id)

    def _check(self, layers: Sequence[int]) -> None:
        count = self.encoder.config.num_hidden_layers
        if not layers or not all(-count <= layer < count for layer in layers):
            raise ConfigError(
                f"layers must be in [-{count}, {count}). Received: {tuple(layers)}"
            )

    def _own(self, inputs: Any) -> Any:
        return self.model(inputs, training=False)

    def _hidden(self, inputs: Any) -> Any:
        out = self.encoder(
            inputs, training=False, return_hidden_states=True, skip_padding=True
        )
        # The first of the states is the input of the first block.
        return out["pooled_output"], out["hidden_states"][1:]

    def _pooled(self, inputs: Any) -> Any:
        pooled, states = self._hidden(inputs)
        if self.pooling == "pooled":
            return pooled
        chosen = [tf.cast(states[layer], tf.float32) for layer in self.layers]
        x = tf.add_n(chosen) / len(chosen)
        if self.pooling == "cls":
            return x[:, 0]
        mask = inputs["padding_mask"][..., None]
        if self.pooling == "max":
            return tf.reduce_max(tf.where(mask, x, -np.inf), axis=1)
        weights = tf.cast(mask, tf.float32)
        return tf.reduce_sum(x * weights, axis=1) / tf.reduce_sum(weights, axis=1)


def split_line(line: str) -> Any:
    """Return the text of a line, or the pair of texts that " ||| " separates.

    Args:
        line: As in the input file of extract_features.py of BERT.

    Example:
        >>> split_line("今天晴 ||| 明天雨"), split_line("你好")
        (('今天晴', '明天雨'), '你好')

    Source: `read_examples` of google-research/bert extract_features.py.
    """
    line = line.strip()
    first, separator, second = line.rpartition(SEPARATOR)
    return (first, second) if separator else line
