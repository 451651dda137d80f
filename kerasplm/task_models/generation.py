"""Writing a text: an encoder with its MLM head under a UniLM mask, or T5-PEGASUS."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.heads import PretrainedModel
from kerasplm.losses import nll, weighted
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.task_models.base import TaskModel, model_inputs

Tensor = Any
TEACHER = ("target_ids", "target_mask", "target_positions")


@keras.saving.register_keras_serializable(package="kerasplm")
class TextGenerator(TaskModel):
    """Score the words of a target, each after those before it.

    A feature is one sequence: the source with segment 0, then the target with segment
    1. An encoder reads it under the UniLM mask and its MLM head scores the next word at
    each place; a `Seq2Seq` reads segment 0 with its encoder and writes segment 1 with
    its decoder, which starts with the first token of the source, [CLS].

    Args:
        encoder: An `Encoder` with attention="unilm" (its MLM head begins with random
            weights), a `PretrainedModel` on one (its MLM head is taken), or a
            `Seq2Seq`.
        labels: None.
        pair: Whether two texts are read.
        task: Name of the task.
        name: Name of the model.

    Raises:
        ConfigError: The attention is not "unilm", there is one segment only, or the
            `PretrainedModel` has no MLM head.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        ...     attention="unilm"))
        >>> batch = {"token_ids": np.array([[2, 7, 3, 8, 3]]),
        ...     "segment_ids": np.array([[0, 0, 0, 1, 1]]),
        ...     "target_ids": np.array([[8, 3]]),
        ...     "target_mask": np.array([[True, True]]),
        ...     "target_positions": np.array([[3, 4]])}
        >>> TextGenerator(encoder)(batch).shape
        TensorShape([1, 2, 100])

    Source: arXiv:1905.03197 (UniLM); bojone/bert4keras
    examples/task_seq2seq_autotitle_csl.py; ZhuiyiTechnology/t5-pegasus finetune.py.
    """

    kind = "generation"
    pooled = False
    packable = False

    def __init__(
        self,
        encoder: Encoder | PretrainedModel | Seq2Seq,
        labels: Sequence[str] = (),
        *,
        pair: bool = False,
        task: str = "generation",
        name: str = "text_generator",
        **kwargs: Any,
    ) -> None:
        whole = encoder if isinstance(encoder, PretrainedModel) else None
        body = encoder if whole is None else whole.encoder
        if whole is not None and "mlm" not in whole.heads:
            raise ConfigError(
                "expected a PretrainedModel with an MLM head, found heads: "
                f"{', '.join(whole.heads) or 'none'}"
            )
        if isinstance(body, Encoder):
            _check_encoder(body)
        super().__init__(body, labels, pair=pair, task=task, name=name, **kwargs)
        self.network = body
        if isinstance(body, Encoder):
            # Without the heads that have no part in writing.
            self.network = PretrainedModel(body, ["mlm"])
        if whole is not None:
            self.network.heads["mlm"].set_weights(whole.heads["mlm"].get_weights())
        self.built = True

    @property
    def body(self) -> str:
        """Return the name of the encoder in the family tables."""
        return "seq2seq" if isinstance(self.network, Seq2Seq) else super().body

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the MLM head; a `Seq2Seq` has none."""
        if isinstance(self.network, Seq2Seq):
            return {}
        return {"mlm": self.network.heads["mlm"]}

    def call(self, inputs: Inputs, training: bool | None = None) -> Tensor:
        """Score every token of known targets.

        Args:
            inputs: `token_ids`, `segment_ids` (B, T) and optional `padding_mask`, as
                for `Encoder`; `target_ids` (B, M), the tokens to predict, the end token
                included; `target_positions` (B, M), where they stand in the sequence;
                `target_mask` (B, M), True = real token.
            training: Whether dropout is on.

        Returns:
            Logits (B, M, V) of `target_ids`.

        Raises:
            ValueError: The targets are missing.
        """
        missing = [name for name in TEACHER if name not in inputs]
        if missing:
            raise ValueError(
                f"expected the targets to score, found no {', '.join(missing)}; "
                "kerasplm.generate writes without them"
            )
        batch = model_inputs(inputs, *TEACHER)
        if not isinstance(self.network, Seq2Seq):
            # The token before a target predicts it.
            batch["mlm_positions"] = inputs["target_positions"] - 1
            out = self.network(batch, training=training, skip_padding=True)
            return out["mlm_logits"]
        source = ops.equal(batch.pop("segment_ids"), 0)
        mask = batch.pop("padding_mask", None)
        if mask is not None:
            source = ops.logical_and(source, ops.cast(mask, "bool"))
        start = ops.cast(batch["token_ids"][:, :1], "int32")
        ids = ops.cast(inputs["target_ids"], "int32")
        real = ops.cast(inputs["target_mask"], "bool")
        batch |= {
            "padding_mask": source,
            "target_ids": ops.concatenate([start, ids[:, :-1]], axis=1),
            "target_padding_mask": ops.concatenate(
                [ops.ones_like(real[:, :1]), real[:, :-1]], axis=1
            ),
        }
        return self.network(batch, training=training)["logits"]

    def objective(self, inputs: Inputs, targets: Any, outputs: Tensor) -> Tensor:
        """Return the mean cross-entropy of the target tokens of the batch.

        Args:
            inputs: What the model was called with.
            targets: `target_ids` and `target_mask` (B, M).
            outputs: Logits (B, M, V).
        """
        return token_loss(outputs, targets["target_ids"], targets["target_mask"])


def token_loss(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Average the cross-entropy over the real tokens, in float32.

    Args:
        logits: (B, M, V).
        ids: (B, M), the right tokens.
        mask: (B, M), True = real token.

    Returns:
        A scalar; 0 if there are no real tokens.

    Example:
        >>> float(token_loss(np.zeros((1, 2, 4)), [[1, 3]], [[True, False]]))
        1.3862...

    Source: `CrossEntropy` of bojone/bert4keras
    examples/task_seq2seq_autotitle_csl.py.
    """
    total, count = weighted(nll(logits, ids), mask)
    return total / ops.maximum(count, 1.0)


def _check_encoder(encoder: Encoder) -> None:
    """Make sure that no word of a target sees those behind it."""
    config = encoder.config
    if config.attention != "unilm" or config.type_vocab_size < 2:
        raise ConfigError(
            "to write texts an encoder needs attention='unilm' and two segments: load "
            "it with attention='unilm'. Received: "
            f"attention={config.attention!r}, type_vocab_size={config.type_vocab_size}"
        )
