"""The tables of every encoder, and the decoder that is tied to them.

Letters: B batch, T tokens, D hidden size, E word size, V vocabulary.
"""

from typing import Any

import keras
from keras import ops

from kerasplm.config import Config
from kerasplm.fused import Dropout, normalized
from kerasplm.layers import ConfiguredLayer, initializer, norm
from kerasplm.relative import position_rows

Tensor = Any


class Embeddings(ConfiguredLayer):
    """Sum the word, segment and position vectors, normalise, map to width D.

    With `tables` the tables and the norm are those of other embeddings: both have the
    same variables.
    """

    word: keras.Variable
    type: keras.Variable | None
    position: keras.Variable | None
    norm: keras.layers.LayerNormalization

    def __init__(
        self,
        config: Config,
        name: str = "embeddings",
        tables: "Embeddings | None" = None,
    ) -> None:
        super().__init__(config, name)
        self.tied = tables is not None
        if tables is not None:
            # Only these: the projection of the other embeddings is theirs alone.
            self.word, self.type = tables.word, tables.type
            self.position, self.norm = tables.position, tables.norm
        else:
            self.norm = norm(config, "norm")
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.projection: keras.layers.Dense | None = None
        if config.has_projection:
            use_bias = config.embedding_projection == "after_norm"
            self.projection = self.dense(config.hidden_size, "projection", use_bias)

    def build(self, input_shape: Any = None) -> None:
        """Create the tables."""
        if not self.tied:
            self._build_tables()
        if self.projection is not None:
            self.projection.build((None, None, self.config.word_size))

    def _build_tables(self) -> None:
        config = self.config
        width = config.table_size
        self.word = self._table("word", config.vocab_size, config.word_size)
        self.type = self.position = None
        if config.type_vocab_size:
            self.type = self._table("type", config.type_vocab_size, width)
        if config.position == "absolute":
            rows = config.max_position_embeddings
            self.position = self._table("position", rows, width)
        self.norm.build((None, None, width))

    def _table(self, name: str, rows: int, width: int) -> keras.Variable:
        # autocast=False: in mixed precision only the looked-up rows are cast.
        return self.add_weight(
            name=name,
            shape=(rows, width),
            initializer=initializer(self.config),
            autocast=False,
        )

    def call(
        self,
        token_ids: Tensor,
        segment_ids: Tensor,
        position_ids: Tensor | None = None,
        training: bool | None = None,
        layout: Any = None,
    ) -> tuple[Tensor, Tensor]:
        """Look up (B, T) ids.

        Returns:
            The normalised sum (B, T, table size) and the input of the first block
            (B, T, D); with `layout`, from `fused.packed`, their packed rows.
        """
        self._check_length(token_ids, position_ids)
        if layout is not None:
            token_ids, segment_ids = map(layout.tokens, (token_ids, segment_ids))
            if position_ids is None:
                position_ids = layout.positions()
            else:
                position_ids = layout.tokens(position_ids)
        before = self.config.embedding_projection == "before_norm"
        x = ops.cast(ops.take(self.word, token_ids, axis=0), self.compute_dtype)
        if self.projection is not None and before:
            x = self.projection(x)
        if self.type is not None:
            segment_ids = ops.cast(segment_ids, "int32")
            x += ops.cast(ops.take(self.type, segment_ids, axis=0), x.dtype)
        if self.position is not None:
            x += ops.cast(self._positions(token_ids, position_ids), x.dtype)
        normed = normalized(x, self.norm, training, layout)
        normed = self.dropout(normed, training=training)
        if self.projection is not None and not before:
            return normed, self.projection(normed)
        return normed, normed

    def _positions(self, token_ids: Tensor, position_ids: Tensor | None) -> Tensor:
        assert self.position is not None
        alpha = self.config.hierarchical_positions
        if position_ids is not None:
            return position_rows(self.position, position_ids, alpha)
        if alpha is not None:
            places = ops.arange(ops.shape(token_ids)[1])
            return position_rows(self.position, places, alpha)
        return self.position[: ops.shape(token_ids)[1]]

    def _check_length(self, token_ids: Tensor, position_ids: Tensor | None) -> None:
        length, most = token_ids.shape[1], self.config.max_positions
        if self.position is None or position_ids is not None:
            return
        if length is not None and most is not None and length > most:
            raise ValueError(
                f"The model has {most} positions (max_position_embeddings). "
                f"Received: {length} tokens per row; truncate with max_length={most}"
            )

    def attend(self, x: Tensor) -> Tensor:
        """Map (..., E) vectors to scores of every word (..., V): the tied decoder.

        With a projection before the norm the vectors have width D and pass its
        transpose first.
        """
        before = self.config.embedding_projection == "before_norm"
        if self.projection is not None and before:
            kernel = ops.cast(self.projection.kernel, x.dtype)
            x = ops.matmul(x, ops.transpose(kernel))
        return ops.matmul(x, ops.transpose(ops.cast(self.word, x.dtype)))
