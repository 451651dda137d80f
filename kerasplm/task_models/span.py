"""Extractive reading comprehension: a question, a passage, and which part answers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras
from keras import ops

from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.task_heads import ConditionalSpanHead, SpanHead
from kerasplm.task_heads.span import span_loss
from kerasplm.task_models.base import TaskModel, check_attention, model_inputs

Tensor = Any


@dataclasses.dataclass(frozen=True)
class _Style:
    """How one original code builds and trains its head.

    Args:
        build: Hidden size and options to the head.
        closed: Tokens that are masked: "none"; "first" the first segment but for its
            first token; "special" those and the last token of the second segment.
        reduction: Of the loss over a batch.
        windows_judged: Whether a window without the answer counts as unanswerable; if
            not, only a question that the data call so.
        log_probs: Whether decoding compares log probabilities instead of logits.
    """

    build: Callable[..., SpanHead | ConditionalSpanHead]
    closed: Literal["none", "first", "special"] = "none"
    reduction: Literal["mean", "sum"] = "mean"
    windows_judged: bool = False
    log_probs: bool = False


def _plain(hidden_size: int, **options: Any) -> SpanHead:
    return SpanHead(**options)


def _masked(hidden_size: int, **options: Any) -> SpanHead:
    return SpanHead(**{"mask_value": -10000.0, **options})


def _joint(hidden_size: int, **options: Any) -> ConditionalSpanHead:
    return ConditionalSpanHead(**options)


STYLES: dict[str, _Style] = {
    "bert": _Style(_plain),
    "nezha": _Style(_masked, closed="special", log_probs=True),
    "electra": _Style(_joint, closed="first", reduction="sum"),
    "albert": _Style(ConditionalSpanHead.albert, closed="special", windows_judged=True),
}


@keras.saving.register_keras_serializable(package="kerasplm")
class SpanExtractor(TaskModel):
    """An encoder with scores for where in the second text an answer begins and ends.

    Args:
        encoder: The encoder.
        labels: Not used: there are no classes.
        head: Whose head, mask and loss: "bert" (also RoBERTa, and ALBERT for SQuAD
            v1), "nezha", "electra" (the end depends on the start), or "albert" (so,
            too, for SQuAD v2).
        options: Arguments of the head: of `SpanHead` or `ConditionalSpanHead`.
        dropout: Before the head, in [0, 1). The originals have none.
        answerable_weight: Weight of the loss of "there is no answer", where the head
            judges that; 0.3 in the code of Chinese-ELECTRA.
        pair: Always true: a question and a passage.
        task: Name of the task; ELECTRA's checkpoints store the head under it.

    Raises:
        ConfigError: There is no such head or option, or the encoder's attention
            hides the passage from the question.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=1, num_attention_heads=2, intermediate_size=48))
        >>> batch = {"token_ids": np.array([[2, 7, 3, 8, 9, 3]]),
        ...     "segment_ids": np.array([[0, 0, 0, 1, 1, 1]])}
        >>> SpanExtractor(encoder, head="nezha")(batch)["start_logits"].shape
        TensorShape([1, 6])

    Source: `create_model` of google-research/bert and of huawei-noah NEZHA-TensorFlow
    run_squad.py; google-research/electra finetune/qa/qa_tasks.py;
    google-research/albert squad_utils.py.
    """

    kind = "span"
    pooled = False
    packable = False

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str] = (),
        *,
        head: str = "bert",
        options: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        answerable_weight: float = 0.5,
        pair: bool = True,
        task: str = "span",
        name: str = "span_extractor",
        **kwargs: Any,
    ) -> None:
        if head not in STYLES:
            raise ConfigError(
                f"head must be one of {', '.join(STYLES)}. Received: {head!r}"
            )
        check_attention(encoder, pair=True)
        super().__init__(encoder, labels, pair=pair, task=task, name=name, **kwargs)
        self.style = head
        self.options = dict(options or {})
        self.answerable_weight = answerable_weight
        self.dropout = keras.layers.Dropout(dropout)
        width = encoder.config.hidden_size
        try:
            self.head = STYLES[head].build(width, **self.options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"options of the head {head!r}: {error}") from error
        self.head.build((None, None, width))
        self.built = True

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the layers by the names of the family tables."""
        return {"span": self.head}

    def call(self, inputs: Inputs, training: bool | None = None) -> dict[str, Tensor]:
        """Score the tokens of a batch.

        Args:
            inputs: As for `Encoder`; `allowed_mask` (B, T) for other tokens than
                those that the original code lets be in an answer; `start_positions`
                (B,) gives the true starts.
            training: Whether dropout is on.

        Returns:
            What the head returns: `start_logits`, `end_logits` (B, T), beams,
            `answerable_logit`; given the true starts and not in training what depends
            on them and what a search finds, so that one call is judged and decoded.
            `start_log_probs` and `end_log_probs` (B, T) where decoding compares them.
        """
        batch = model_inputs(inputs, "allowed_mask", "start_positions")
        # With padding: the softmax of the originals runs over it, too.
        x = self.encoder(batch, training=training)["sequence_output"]
        x = self.dropout(x, training=training)
        allowed = inputs.get("allowed_mask")
        if allowed is None:
            allowed = self._allowed(inputs)
        starts = inputs.get("start_positions")
        out = {} if training else self.head(x, allowed, training=training)
        if training or starts is not None:
            out |= self.head(x, allowed, starts, training=training)
        if STYLES[self.style].log_probs:
            for name in ("start", "end"):
                log_probs = ops.log_softmax(out[f"{name}_logits"], axis=-1)
                out[f"{name}_log_probs"] = log_probs
        return out

    def _allowed(self, inputs: Inputs) -> Tensor | None:
        """Return 1 for the tokens (B, T) that the original code does not mask."""
        closed = STYLES[self.style].closed
        segments = inputs.get("segment_ids")
        if closed == "none" or segments is None:
            return None
        second = ops.cast(segments, "float32")
        mask = inputs.get("padding_mask")
        if mask is not None:
            second = second * ops.cast(mask, "float32")
        if closed == "special":  # [SEP] is the token without another one behind it
            second = second * ops.pad(second[:, 1:], [[0, 0], [0, 1]])
        # The first token stands for "no answer here".
        first = ops.cast(ops.arange(ops.shape(second)[1]) == 0, "float32")
        return ops.maximum(second, first)

    def objective(self, inputs: Inputs, targets: Any, outputs: Any) -> Tensor:
        """Return the loss of the original code.

        Args:
            inputs: With `start_positions`, if the end depends on the start.
            targets: `start_positions` and `end_positions` (B,), 0 = not in this
                window, -1 = unknown; `is_impossible` (B,), 1 = there is no answer.
            outputs: What the model returned.
        """
        style = STYLES[self.style]
        impossible = ops.cast(targets["is_impossible"], "bool")
        if style.windows_judged:
            elsewhere = ops.equal(targets["start_positions"], 0)
            impossible = ops.logical_or(impossible, elsewhere)
        return span_loss(
            outputs,
            targets["start_positions"],
            targets["end_positions"],
            ops.cast(impossible, "float32"),
            answerable_weight=self.answerable_weight,
            reduction=style.reduction,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {
            "head": self.style,
            "options": self.options,
            "dropout": self.dropout.rate,
            "answerable_weight": self.answerable_weight,
        }
