"""Extractive reading comprehension where the end of an answer depends on its start."""

from typing import Any

import keras
from keras import ops

from kerasplm.errors import ConfigError
from kerasplm.layers import ACTIVATIONS
from kerasplm.task_heads.base import BERT_INITIALIZER, TaskHead, one_hot, positive
from kerasplm.task_heads.span import block

Tensor = Any
ANSWERABLE = ("none", "first", "start")


@keras.saving.register_keras_serializable(package="kerasplm")
class ConditionalSpanHead(TaskHead):
    """Score the starts, the ends that follow from each start, and answerability.

    end = dense(norm(activation(dense([start vector, token vector])))). With the
    true start the end is scored for that one; without, for the best K starts, of
    which each gets its best J ends. Defaults are ELECTRA's; ALBERT's (SQuAD v2) are
    `ConditionalSpanHead.albert(hidden_size)`.

    Args:
        joint: Whether the end depends on the start; without, there is one score per
            token for starts and one for ends.
        answerable: What judges whether there is an answer: "start" (first token, and
            the tokens averaged by their start probability, through a hidden layer),
            "first" (the first token alone), "none". Positive = no answer.
        units: Width of the hidden layers.
        activation: Of the hidden layers, a key of `kerasplm.layers.ACTIVATIONS`.
        norm: Whether a layer normalisation follows the hidden layer of the end.
        start_first: Whether a start vector stands left of the token that it is
            joined to; in the answerability, right of the first token.
        answerable_bias: Whether the last layer of the answerability has a bias.
        start_beam: K.
        end_beam: J.
        mask_value: Added to scores of tokens outside the allowed mask.
        dropout: Before the last layer of the answerability.

    Raises:
        ConfigError: An argument has no such value.

    Example:
        >>> head = ConditionalSpanHead(start_beam=2, end_beam=3)
        >>> head(np.zeros((1, 4, 8)), np.ones((1, 4)))["end_top_index"].shape
        TensorShape([1, 2, 3])

    Source: `QATask.get_prediction_module` of google-research/electra
    finetune/qa/qa_tasks.py; `create_v2_model` of google-research/albert
    squad_utils.py.
    """

    def __init__(
        self,
        joint: bool = True,
        answerable: str = "start",
        units: int = 512,
        activation: str = "gelu_erf",
        norm: bool = False,
        start_first: bool = True,
        answerable_bias: bool = True,
        start_beam: int = 20,
        end_beam: int = 20,
        mask_value: float = -1000.0,
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        name: str = "span",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        for what, value, known in (
            ("answerable", answerable, ANSWERABLE),
            ("activation", activation, tuple(ACTIVATIONS)),
        ):
            if value not in known:
                raise ConfigError(
                    f"{what} must be one of {', '.join(known)}. Received: {value!r}"
                )
        self.settings: dict[str, Any] = {
            "joint": joint,
            "answerable": answerable,
            "units": positive("units", units),
            "activation": activation,
            "norm": norm,
            "start_first": start_first,
            "answerable_bias": answerable_bias,
            "start_beam": positive("start_beam", start_beam),
            "end_beam": positive("end_beam", end_beam),
            "mask_value": float(mask_value),
            "dropout": dropout,
        }
        self.joint, self.start_first = joint, start_first
        self.mask_value = float(mask_value)
        self.activation = ACTIVATIONS[activation]
        self.start = self.dense(1, "start")
        self.end = self.dense(1, "end")
        self.end_hidden = self.end_norm = None
        if joint:
            self.end_hidden = self.dense(units, "end_hidden")
            if norm:
                self.end_norm = keras.layers.LayerNormalization(
                    epsilon=1e-12, dtype=self.dtype_policy, name="end_norm"
                )
        self.answerable_hidden = self.answerable = None
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        if answerable == "start":
            self.answerable_hidden = self.dense(units, "answerable_hidden")
        if answerable != "none":
            # The two read different vectors, so no checkpoint fits both.
            own = "answerable" if answerable == "start" else "answerable_first"
            self.answerable = self.dense(1, own, answerable_bias)

    @classmethod
    def albert(cls, hidden_size: int, **kwargs: Any) -> "ConditionalSpanHead":
        """Return the head of google-research/albert for SQuAD v2."""
        fields: dict[str, Any] = {
            "units": hidden_size,
            "activation": "tanh",
            "norm": True,
            "start_first": False,
            "answerable_bias": False,
            "start_beam": 5,
            "end_beam": 5,
            "mask_value": -1e30,
            "dropout": 0.1,
            "kernel_initializer": BERT_INITIALIZER,
        }
        return cls(**(fields | kwargs))

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        one, two = (None, input_shape[-1]), (None, 2 * input_shape[-1])
        hidden = (None, self.settings["units"])
        self.start.build(one)
        self.end.build(hidden if self.joint else one)
        if self.end_hidden is not None:
            self.end_hidden.build(two)
        if self.end_norm is not None:
            self.end_norm.build(hidden)
        if self.answerable_hidden is not None:
            self.answerable_hidden.build(two)
        if self.answerable is not None:
            self.answerable.build(one if self.answerable_hidden is None else hidden)

    def call(
        self,
        sequence_output: Tensor,
        allowed_mask: Tensor | None = None,
        start_positions: Tensor | None = None,
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        """Score the tokens.

        Args:
            sequence_output: (B, T, D).
            allowed_mask: (B, T), nonzero = the token may be in an answer. The first
                token is one of them: it is the place of "no answer".
            start_positions: (B,), the true starts; None to search.
            training: Whether dropout is on.

        Returns:
            `start_logits` (B, T); `end_logits` (B, T) where the start is given or
            the head is not joint, else `start_top_index` and `start_top_log_probs`
            (B, K), `end_top_index` and `end_top_log_probs` (B, K, J), best first, K
            and J at most T; `answerable_logit` (B,), positive = no answer.
        """
        x = sequence_output
        start = block(self.start(x)[..., 0], allowed_mask, self.mask_value)
        out = {"start_logits": start}
        if not self.joint:
            end = self.end(x)[..., 0]
            out["end_logits"] = block(end, allowed_mask, self.mask_value)
        elif start_positions is not None:
            weights = one_hot(start_positions, ops.shape(x)[1])
            chosen = ops.einsum("bt,bth->bh", weights, x)
            ends = self._ends(x, chosen[:, None], allowed_mask)
            out["end_logits"] = ends[:, 0]
        else:
            out |= self._search(x, start, allowed_mask)
        if self.answerable is not None:
            out["answerable_logit"] = self._answerable(x, start, training)
        return out

    def _ends(self, x: Tensor, chosen: Tensor, allowed_mask: Tensor | None) -> Tensor:
        """Score (B, K, T) ends for K start vectors (B, K, D)."""
        assert self.end_hidden is not None
        # A dense layer on two joined vectors is the sum of two dense layers: that of
        # the tokens is computed once and not for each start.
        halves = ops.split(ops.convert_to_tensor(self.end_hidden.kernel), 2, axis=0)
        of_start, of_token = halves if self.start_first else halves[::-1]
        hidden = ops.expand_dims(ops.matmul(chosen, of_start), 2)
        hidden = hidden + ops.expand_dims(ops.matmul(x, of_token), 1)
        hidden = self.activation(hidden + self.end_hidden.bias)
        if self.end_norm is not None:
            hidden = self.end_norm(hidden)
        if allowed_mask is not None:
            allowed_mask = ops.expand_dims(allowed_mask, 1)
        return block(self.end(hidden)[..., 0], allowed_mask, self.mask_value)

    def _search(
        self, x: Tensor, start: Tensor, allowed_mask: Tensor | None
    ) -> dict[str, Tensor]:
        log_probs, index = top(start, self.settings["start_beam"])
        chosen = ops.take_along_axis(x, ops.expand_dims(index, -1), axis=1)
        ends = self._ends(x, chosen, allowed_mask)
        end_log_probs, end_index = top(ends, self.settings["end_beam"])
        return {
            "start_top_log_probs": log_probs,
            "start_top_index": index,
            "end_top_log_probs": end_log_probs,
            "end_top_index": end_index,
        }

    def _answerable(self, x: Tensor, start: Tensor, training: bool | None) -> Tensor:
        assert self.answerable is not None
        hidden = x[:, 0]
        if self.answerable_hidden is not None:
            average = ops.einsum("bt,bth->bh", ops.softmax(start, axis=-1), x)
            pair = [hidden, average] if self.start_first else [average, hidden]
            joined = ops.concatenate(pair, axis=-1)
            hidden = self.activation(self.answerable_hidden(joined))
        return self.answerable(self.dropout(hidden, training=training))[..., 0]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | dict(self.settings)


def top(logits: Tensor, beam: int) -> tuple[Tensor, Tensor]:
    """Return the largest log probabilities of (..., T) and their places, best first."""
    log_probs = ops.log_softmax(logits, axis=-1)
    length = ops.shape(logits)[-1]
    if isinstance(length, int):
        values, index = ops.top_k(log_probs, min(beam, length))
    else:  # known only when a graph runs
        values, index = ops.top_k(log_probs, ops.minimum(beam, length))
    return values, ops.cast(index, "int32")
