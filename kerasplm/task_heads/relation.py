"""Relations between parts of a text: subject then object, or three GlobalPointers."""

from typing import Any

import keras
from keras import ops

from kerasplm.task_heads.base import (
    BERT_INITIALIZER,
    TaskHead,
    float_mask,
    positive,
    reduce,
)
from kerasplm.task_heads.conditional_norm import ConditionalLayerNorm
from kerasplm.task_heads.global_pointer import (
    GlobalPointer,
    sparse_global_pointer_loss,
)

Tensor = Any

# Labels are rare: a power of the sigmoid begins near zero, as they do.
SUBJECT_POWER, OBJECT_POWER = 2, 4


@keras.saving.register_keras_serializable(package="kerasplm")
class SubjectHead(TaskHead):
    """Score every token as start and as end of a subject.

    The probability is sigmoid(logit) squared: `power_probability(logits, 2)`.

    Example:
        >>> SubjectHead()(np.zeros((1, 4, 8))).shape
        TensorShape([1, 4, 2])

    Source: ZhuiyiTechnology/pretrained-models examples/task_lic2019_ie.py.
    """

    def __init__(
        self,
        kernel_initializer: Any = BERT_INITIALIZER,
        name: str = "subject",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.logits = self.dense(2, "logits")

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        self.logits.build(input_shape)

    def call(self, sequence_output: Tensor) -> Tensor:
        """Map (B, T, D) to logits (B, T, 2): start, end."""
        return self.logits(sequence_output)


@keras.saving.register_keras_serializable(package="kerasplm")
class ObjectHead(TaskHead):
    """Score every token as start and end of an object of one subject, by predicate.

    The vectors at the subject's first and last token are the condition of a layer
    normalisation of all tokens. The probability is sigmoid(logit) to the fourth power.

    Args:
        predicates: Number of predicates P.

    Raises:
        ConfigError: `predicates` is not a positive whole number.

    Example:
        >>> ObjectHead(3)(np.zeros((1, 4, 8)), np.array([[1, 2]])).shape
        TensorShape([1, 4, 3, 2])

    Source: ZhuiyiTechnology/pretrained-models examples/task_lic2019_ie.py.
    """

    def __init__(
        self,
        predicates: int,
        kernel_initializer: Any = BERT_INITIALIZER,
        name: str = "object",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.predicates = positive("predicates", predicates)
        self.norm = ConditionalLayerNorm(dtype=self.dtype_policy, name="norm")
        self.logits = self.dense(2 * predicates, "logits")

    def build(self, hidden_shape: Any, subjects_shape: Any = None) -> None:
        """Create the weights for (B, T, D)."""
        width = hidden_shape[-1]
        self.norm.build((None, None, width), (None, 2 * width))
        self.logits.build((None, None, width))

    def call(self, hidden: Tensor, subjects: Tensor) -> Tensor:
        """Score the objects of one subject per row.

        Args:
            hidden: (B, T, D). The original takes the last block before its own
                normalisation.
            subjects: (B, 2) integers, first and last token of the subject.

        Returns:
            (B, T, P, 2) logits: start, end.
        """
        index = ops.expand_dims(ops.cast(subjects, "int32"), -1)
        ends = ops.take_along_axis(hidden, index, axis=1)
        condition = ops.concatenate([ends[:, 0], ends[:, 1]], axis=-1)
        logits = self.logits(self.norm(hidden, condition))
        return ops.reshape(logits, (*ops.shape(logits)[:2], self.predicates, 2))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return super().get_config() | {"predicates": self.predicates}


def power_probability(logits: Tensor, power: int) -> Tensor:
    """Return sigmoid(logits) to a power."""
    return ops.sigmoid(ops.cast(logits, "float32")) ** power


def power_cross_entropy(logits: Tensor, labels: Tensor, power: int) -> Tensor:
    """Return the cross-entropy of p^k for p = sigmoid(logits), in the log domain.

    log p^k = k log p, and 1 - p^k = (1 - p)(1 + p + ... + p^(k-1)), so both logarithms
    are exact for any logit: nothing is clipped, no gradient is lost.

    Args:
        logits: Of any shape.
        labels: Of the same shape, 0 or 1.
        power: k.

    Returns:
        Losses of the same shape.

    Example:
        >>> float(power_cross_entropy([0.0], [1.0], 2)[0])
        1.386294...
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    p = ops.sigmoid(logits)
    rest = ops.ones_like(p)
    for _ in range(power - 1):
        rest = rest * p + 1.0
    log_true = -power * ops.softplus(-logits)
    log_false = ops.log(rest) - ops.softplus(logits)
    return -labels * log_true - (1.0 - labels) * log_false


def relation_loss(
    subject_logits: Tensor,
    object_logits: Tensor,
    subject_labels: Tensor,
    object_labels: Tensor,
    padding_mask: Tensor | None = None,
) -> Tensor:
    """Return the sum of the losses of subjects and objects.

    Each is the mean over start and end, for objects the sum over predicates, averaged
    over the real tokens of the batch.

    Args:
        subject_logits: (B, T, 2).
        object_logits: (B, T, P, 2), for one subject of each text.
        subject_labels: (B, T, 2), all subjects of each text.
        object_labels: (B, T, P, 2), the objects of that subject.
        padding_mask: (B, T), nonzero = real token, None = all.

    Returns:
        A scalar.

    Source: ZhuiyiTechnology/pretrained-models examples/task_lic2019_ie.py.
    """
    subject = power_cross_entropy(subject_logits, subject_labels, SUBJECT_POWER)
    objects = power_cross_entropy(object_logits, object_labels, OBJECT_POWER)
    losses = ops.mean(subject, axis=-1) + ops.sum(ops.mean(objects, axis=-1), axis=-1)
    return reduce(losses, "mean", float_mask(padding_mask, subject_logits))


@keras.saving.register_keras_serializable(package="kerasplm")
class GPLinker(TaskHead):
    """Find relations by three tables: entities, linked heads, linked tails.

    A triple (s, p, o) is found where s is a span of the first type, o one of the
    second, and p links both their first tokens and their last tokens.

    Args:
        predicates: Number of predicates P.
        head_size: Width of the queries and keys.

    Raises:
        ConfigError: A number is not positive.

    Example:
        >>> GPLinker(3)(np.zeros((1, 4, 8)))["tails"].shape
        TensorShape([1, 3, 4, 4])

    Source: bojone/bert4keras examples/task_relation_extraction_gplinker.py.
    """

    def __init__(
        self,
        predicates: int,
        head_size: int = 64,
        kernel_initializer: Any = "glorot_uniform",
        name: str = "gplinker",
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_initializer, name=name, **kwargs)
        self.predicates = positive("predicates", predicates)
        self.head_size = positive("head_size", head_size)

        def pointer(name: str, heads: int, spans: bool) -> GlobalPointer:
            return GlobalPointer(
                heads,
                head_size,
                rotary=spans,
                tril=spans,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=name,
            )

        # An entity is a span; a link joins any two tokens, near or far.
        self.entities = pointer("entities", 2, True)
        self.heads = pointer("heads", predicates, False)
        self.tails = pointer("tails", predicates, False)

    def build(self, input_shape: Any) -> None:
        """Create the weights for (B, T, D)."""
        for layer in (self.entities, self.heads, self.tails):
            layer.build(input_shape)

    def call(
        self, sequence_output: Tensor, padding_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Score entities and links.

        Args:
            sequence_output: (B, T, D).
            padding_mask: (B, T), nonzero = real token, None = all.

        Returns:
            `entities` (B, 2, T, T): spans of subjects, of objects; `heads` and
            `tails` (B, P, T, T): [.., i, j] links token i of a subject to token j
            of an object.
        """
        return {
            name: layer(sequence_output, padding_mask=padding_mask)
            for name, layer in (
                ("entities", self.entities),
                ("heads", self.heads),
                ("tails", self.tails),
            )
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        fields = {"predicates": self.predicates, "head_size": self.head_size}
        return super().get_config() | fields


def gplinker_loss(targets: dict[str, Tensor], outputs: dict[str, Tensor]) -> Tensor:
    """Return the sum of the losses of the three tables.

    Args:
        targets: For each output (B, N, P, 2) pairs of tokens, filled up with (0, 0).
        outputs: What `GPLinker` returned.

    Returns:
        A scalar.

    Source: as for `GPLinker`.
    """
    losses = [
        sparse_global_pointer_loss(targets[name], scores)
        for name, scores in outputs.items()
    ]
    return sum(losses[1:], losses[0])
