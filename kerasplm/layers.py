"""The bricks of every encoder: attention, feed-forward, block.

Letters: B batch, T query tokens, S key tokens, N heads, H value size per head,
K key size per head, D hidden size, I intermediate size, R = 2 T - 1 relative distances.

Weights keep the shapes in which the TF1 checkpoints store them, so that a
checkpoint table is a list of renames.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from kerasplm import fused
from kerasplm.config import BaseConfig, Config
from kerasplm.masks import MASK_VALUE
from kerasplm.relative import by_distance, by_key, rotate

Tensor = Any

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_tanh": functools.partial(ops.gelu, approximate=True),
    "gelu_erf": functools.partial(ops.gelu, approximate=False),
    "relu": ops.relu,
    "tanh": ops.tanh,
    "swish": ops.silu,
    "linear": lambda x: x,
}


def activate(name: str, x: Tensor, training: bool | None = None) -> Tensor:
    """Apply the activation of that name; in training by one kernel if there is one."""
    if name.startswith("gelu"):
        return fused.gelu(x, name == "gelu_tanh", training)
    return ACTIVATIONS[name](x)


Initializer = Callable[..., Tensor]

_given: contextvars.ContextVar[Initializer | None] = contextvars.ContextVar(
    "initializer", default=None
)


@contextlib.contextmanager
def initialize_with(given: Initializer) -> Iterator[None]:
    """Build layers with another initializer: models whose weights are read after."""
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)


def initializer(
    config: BaseConfig, own: Callable[[], Initializer] | None = None
) -> Initializer:
    """Return the truncated normal of the original code (cut at two sigma).

    Args:
        config: Its deviation, `initializer_range`.
        own: Returns what draws the weight if the configuration has no deviation.
    """
    given = _given.get()
    if given is not None:
        return given
    if config.initializer_range is None:
        assert own is not None  # only configurations with initial values of their own
        return own()
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


def norm(config: Config, name: str) -> keras.layers.LayerNormalization:
    """Return a layer normalisation with the epsilon of the configuration."""
    return keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name=name)


class ConfiguredLayer(keras.layers.Layer):
    """A layer whose only constructor argument is the `Config`."""

    def __init__(self, config: Config, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config

    def dense(self, units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
        """Return a dense layer with the initializer of the configuration."""
        return keras.layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=initializer(self.config),
            name=name,
        )


class Attention(ConfiguredLayer):
    """Let every token average the values of the tokens it may attend to.

    scores = q kᵀ / sqrt(K) (+ q Rᵀ / sqrt(K) with NEZHA's relative table R); the
    weights softmax(scores) average v (and R). Key and value sizes may differ.
    """

    def __init__(self, config: Config, name: str = "attention") -> None:
        super().__init__(config, name)
        keys = config.num_attention_heads * config.key_size
        self.query = self.dense(keys, "query")
        self.key = self.dense(keys, "key")
        self.value = self.dense(config.hidden_size, "value")
        self.output_dense = self.dense(config.hidden_size, "output")
        self.dropout = fused.Dropout(config.attention_probs_dropout_prob)

    def build(self, input_shape: Any = None) -> None:
        """Create the four projections."""
        for layer in (self.query, self.key, self.value, self.output_dense):
            layer.build((None, None, self.config.hidden_size))

    def call(
        self,
        x: Tensor,
        attention_mask: Tensor,
        relative: Tensor | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
        projected: tuple[Tensor, Tensor, Tensor] | None = None,
        layout: Any = None,
        first_only: bool = False,
        return_scores: bool = True,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend within (B, T, D).

        Args:
            x: (B, T, D); with `layout` its packed rows (N, D), as the result.
            attention_mask: Boolean, broadcasts to (B, N, T, S).
            relative: None or the rows of `relative_table`, (R, H).
            rotary: None or what `rotations` returns.
            training: Whether dropout is on.
            projected: What `project` returned, if it was called already.
            layout: None or what `fused.packed` returned.
            first_only: Whether only the first token attends: T of the result is 1.
            return_scores: Whether scores are looked at. They may be None if not.

        Returns:
            (B, T, D), and the scores (B, N, T, S) scaled and masked, before softmax.
        """
        config = self.config
        q, k, v = projected or self.project(x, rotary, layout, first_only)
        if first_only:
            attention_mask = attention_mask[:, :, :1]
            if relative is not None:  # the distances from the first token on
                relative = relative[ops.shape(k)[2] - 1 :]
        blocked = (1.0 - ops.cast(attention_mask, "float32")) * MASK_VALUE
        given = (config.key_size**-0.5, blocked, self.dropout)
        # One query has few scores; the others need what lies between the products.
        if not (return_scores or first_only) and relative is None and layout is None:
            out = fused.whole_attention(q, k, v, *given, training)
            if out is not None:
                return self._joined(out), None
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # [B, N, T, S]
        if relative is not None:
            found = ops.matmul(q, ops.transpose(relative))
            scores += found if first_only else by_key(found)
        # Softmax in float32: float16 cannot tell large scores apart.
        weights, scores = fused.attention_weights(
            ops.cast(scores, "float32"), *given, x.dtype, training
        )
        out = ops.matmul(weights, v)  # [B, N, T, H]
        if relative is not None:
            shares = weights if first_only else by_distance(weights)
            out += ops.matmul(shares, relative)
        if layout is not None and not first_only:
            return self.output_dense(layout.joined(out)), scores
        return self._joined(ops.transpose(out, (0, 2, 1, 3))), scores

    def project(
        self,
        x: Tensor,
        rotary: Any = None,
        layout: Any = None,
        first_only: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys (B, N, T, K), turned, and values (B, N, T, H).

        With `first_only` queries are of the first token, (B, N, 1, K).
        """
        size = self.config.key_size
        if first_only:
            q = self._split(self.query(first_token(x, layout)), size, None)
        else:
            q = self._split(self.query(x), size, layout)
        k = self._split(self.key(x), size, layout)
        if rotary is not None:
            k = rotate(k, rotary)
            if first_only:
                rotary = rotary[0][:, :, :1], rotary[1][:, :, :1]
            q = rotate(q, rotary)
        return q, k, self._split(self.value(x), self.config.head_size, layout)

    def _joined(self, x: Tensor) -> Tensor:
        """Map what the heads found, (B, T, N, H), to (B, T, D)."""
        x = ops.reshape(x, (ops.shape(x)[0], -1, self.config.hidden_size))
        return self.output_dense(x)

    def _split(self, x: Tensor, size: int, layout: Any) -> Tensor:
        if layout is not None:
            return layout.split(x)
        heads = self.config.num_attention_heads
        x = ops.reshape(x, (ops.shape(x)[0], -1, heads, size))
        return ops.transpose(x, (0, 2, 1, 3))


def first_token(x: Tensor, layout: Any) -> Tensor:
    """Return the rows of the first tokens (B, 1, D).

    Args:
        x: (B, T, D); with `layout` its packed rows (N, D).
        layout: None or what `fused.packed` returned.
    """
    return x[:, :1] if layout is None else layout.first(x)


class GroupedDense(ConfiguredLayer):
    """Apply G dense layers side by side, each to its share of the features.

    Feature h * G + g goes to group g; the outputs of the groups follow each other.

    Source: `dense_layer_2d` with `num_groups` of brightmart/albert_zh
    modeling_google_fast.py.
    """

    def __init__(self, config: Config, units: int, name: str) -> None:
        super().__init__(config, name)
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Create the kernel [in / G, out / G, G] and the bias [out]."""
        groups = self.config.ffn_groups
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1] // groups, self.units // groups, groups),
            initializer=initializer(self.config),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )

    def call(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        before, groups = ops.shape(x)[:-1], self.config.ffn_groups
        x = ops.reshape(x, (-1, x.shape[-1] // groups, groups))
        x = ops.einsum("rhg,hog->rgo", x, self.kernel)
        return ops.reshape(x, (*before, self.units)) + self.bias


class FeedForward(ConfiguredLayer):
    """Apply dense, activation, dense: D to I to D."""

    def __init__(self, config: Config, name: str = "ffn") -> None:
        super().__init__(config, name)
        sizes = (("inner", config.intermediate_size), ("outer", config.hidden_size))
        if config.ffn_groups == 1:
            self.inner, self.outer = (self.dense(size, part) for part, size in sizes)
        else:
            self.inner, self.outer = (
                GroupedDense(config, size, part) for part, size in sizes
            )

    def build(self, input_shape: Any = None) -> None:
        """Create both layers."""
        self.inner.build((None, None, self.config.hidden_size))
        self.outer.build((None, None, self.config.intermediate_size))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Map (..., D) to (..., D)."""
        name = self.config.hidden_act
        if name.startswith("gelu"):
            return self.outer(
                fused.dense_gelu(self.inner, x, name == "gelu_tanh", training)
            )
        return self.outer(ACTIVATIONS[name](self.inner(x)))


class Block(ConfiguredLayer):
    """One layer: attention and feed-forward, each with a residual and a norm."""

    def __init__(self, config: Config, name: str) -> None:
        super().__init__(config, name)
        self.attention = Attention(config)
        self.attention_norm = norm(config, "attention_norm")
        self.ffn = FeedForward(config)
        self.ffn_norm = norm(config, "ffn_norm")
        self.dropout = fused.Dropout(config.hidden_dropout_prob)

    def build(self, input_shape: Any = None) -> None:
        """Create all sub-layers."""
        shape = (None, None, self.config.hidden_size)
        for layer in (self.attention, self.attention_norm, self.ffn, self.ffn_norm):
            layer.build(shape)

    def call(
        self,
        x: Tensor,
        attention_mask: Tensor,
        relative: Tensor | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
        attend: Callable[..., tuple[Tensor, Tensor]] | None = None,
        layout: Any = None,
        first_only: bool = False,
        return_scores: bool = True,
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return (B, T, D), the scores (B, N, T, S) and the last residual sum.

        `attend` is called in the place of the attention, which generation remembers.
        Without `return_scores` these may be None.
        With `layout`, as for `Attention`, (N, D) takes the place of (B, T, D). With
        `first_only` all that is returned is of the first token, (B, 1, D).
        """
        pre = self.config.ln_type == "pre"
        a, scores = (attend or self.attention)(
            self.attention_norm(x) if pre else x,
            attention_mask=attention_mask,
            relative=relative,
            rotary=rotary,
            training=training,
            layout=layout,
            return_scores=return_scores,
            first_only=first_only,
        )
        if first_only:
            x, layout = first_token(x, layout), None
        if pre:
            x = x + self.dropout(a, training=training)
            f = self.ffn(self.ffn_norm(x), training=training)
            x = x + self.dropout(f, training=training)
            return x, scores, x
        given = {"dropout": self.dropout, "training": training, "layout": layout}
        x, _ = fused.add_norm(x, a, self.attention_norm, **given)
        f = self.ffn(x, training=training)
        x, summed = fused.add_norm(x, f, self.ffn_norm, **given)
        return x, scores, summed
