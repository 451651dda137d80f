"""The configuration of an encoder-decoder."""

import dataclasses
import math
from typing import get_args

from kerasplm.config import Activation, BaseConfig
from kerasplm.errors import ConfigError

_AT_LEAST = {
    "vocab_size": 1,
    "hidden_size": 1,
    "num_hidden_layers": 1,
    "num_decoder_layers": 1,
    "num_attention_heads": 1,
    "attention_head_size": 1,
    "intermediate_size": 1,
    "relative_buckets": 4,
    "relative_max_distance": 2,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(BaseConfig):
    """Hold every size and choice of an encoder-decoder.

    The defaults are T5-PEGASUS base.

    Args:
        vocab_size: Rows of the word table, and classes of the output (V).
        hidden_size: Width of the hidden states (D).
        num_hidden_layers: Layers of the encoder.
        num_decoder_layers: Layers of the decoder; None means as many, and as many
            becomes None.
        num_attention_heads: Heads per layer (N).
        attention_head_size: Width of one head (H); N * H need not be D.
        intermediate_size: Inner width of the feed-forward layers (I).
        hidden_act: Activation of the gate in the feed-forward layers.
        hidden_dropout_prob: Dropout of embeddings, block outputs and the last norm,
            in [0, 1).
        initializer_range: Standard deviation of the truncated normal with which all
            matrices begin; None is T5's own choice, for each by its sizes.
        layer_norm_eps: Epsilon of every root-mean-square normalisation.
        relative_buckets: Rows of each table of relative positions; even.
        relative_max_distance: From this distance on all share one bucket; more than
            half of `relative_buckets`.
        cross_position_bias: Whether cross-attention gets the relative bias of the
            decoder too. True in T5-PEGASUS as trained, False in mT5.
        scale_output: Whether the decoder's output is multiplied by D ** -0.5 before
            the output layer. True in T5-PEGASUS as trained, False in mT5.

    Raises:
        ConfigError: A field has the wrong type or value, or two disagree.

    Example:
        >>> Seq2SeqConfig(vocab_size=50000, num_hidden_layers=8).decoder_layers
        8

    Source: `T5` of bojone/bert4keras models.py with model="mt5.1.1".
    """

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_decoder_layers: int | None = None
    num_attention_heads: int = 12
    attention_head_size: int = 64
    intermediate_size: int = 2048
    hidden_act: Activation = "gelu_erf"
    hidden_dropout_prob: float = 0.1
    initializer_range: float | None = None
    layer_norm_eps: float = 1e-6
    relative_buckets: int = 32
    relative_max_distance: int = 128
    cross_position_bias: bool = True
    scale_output: bool = True

    def __post_init__(self) -> None:
        """Check every field by itself, then those that must agree."""
        self._check_integers(_AT_LEAST, ("num_decoder_layers",))
        self._check_choices({"hidden_act": get_args(Activation)})
        self._check_number("hidden_dropout_prob", 0.0, 1.0)
        if self.initializer_range is not None:
            self._check_number("initializer_range", 0.0, math.inf)
        self._check_number("layer_norm_eps", 0.0, 1.0)
        for name in ("cross_position_bias", "scale_output"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(
                    f"{name} must be true or false. Received: {getattr(self, name)!r}"
                )
        if self.relative_buckets % 2:
            raise ConfigError(
                f"relative_buckets must be even. Received: {self.relative_buckets}"
            )
        if self.relative_max_distance <= self.relative_buckets // 2:
            raise ConfigError(
                "relative_max_distance must be more than half of relative_buckets. "
                f"Received: {self.relative_max_distance} and {self.relative_buckets}"
            )
        if self.num_decoder_layers == self.num_hidden_layers:
            # One spelling, so that equal networks have equal configurations.
            object.__setattr__(self, "num_decoder_layers", None)

    @property
    def max_positions(self) -> int | None:
        """Tokens that a table of positions allows: there is none."""
        return None

    @property
    def decoder_layers(self) -> int:
        """Layers of the decoder."""
        return self.num_decoder_layers or self.num_hidden_layers

    @property
    def attention_size(self) -> int:
        """Width of queries, keys and values of all heads (N * H)."""
        return self.num_attention_heads * self.attention_head_size
