"""What all task models share: an encoder, a head, a loss of their own."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from kerasplm import shared_rows
from kerasplm.encoder import Encoder, Inputs
from kerasplm.errors import ConfigError
from kerasplm.idle_pooler import WithoutIdlePooler
from kerasplm.methods import MethodTraining

Tensor = Any

_real_only: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "real_only", default=False
)


@contextlib.contextmanager
def real_tokens_only() -> Iterator[None]:
    """Call task models for real tokens only: what they say of padding is not read."""
    token = _real_only.set(True)
    try:
        yield
    finally:
        _real_only.reset(token)


class TaskModel(WithoutIdlePooler, MethodTraining, keras.Model):
    """Base of the models that fine-tuning trains: an encoder with a head.

    `compile` needs an optimizer only, since a task model knows its loss; a loss that
    is given wins over it. `compile(method=...)` takes a method of `kerasplm.methods`.

    Args:
        encoder: The encoder.
        labels: What the head tells apart: classes, types of entities, predicates.
        pair: Whether an input holds two texts, told apart by their segments.
        task: Name of the task; ELECTRA's checkpoints store the head under it.
        name: Name of the model.

    Raises:
        ConfigError: Labels are not unique.
    """

    kind: ClassVar[str]
    """Key in `kerasplm.tasks.KINDS`."""
    pooled: ClassVar[bool] = True
    """Whether the head takes the pooled vector. If not, the pooler is not trained: it
    has no gradient."""

    packable: ClassVar[bool] = True
    """Whether it can be trained on texts that share rows (`kerasplm.shared_rows`)."""

    scores_padding: ClassVar[bool] = False
    """Whether the outputs hold numbers of padded positions, those of the original
    code where the model is called outside of `real_tokens_only`."""

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str],
        *,
        pair: bool,
        task: str,
        name: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if len(set(labels)) != len(labels):
            raise ConfigError(
                f"labels must be names, each once. Received: {list(labels)!r}"
            )
        self.encoder = encoder
        self.labels = tuple(str(label) for label in labels)
        self.pair = pair
        self.task = task

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the layers of the head by the names of the family tables.

        A layer that no original code has is named "task/...".
        """
        raise NotImplementedError

    @property
    def body(self) -> str:
        """Name of the encoder in the family tables."""
        return "encoder"

    @property
    def trains_pooler(self) -> bool:
        """Whether the head takes the pooled vector."""
        return self.pooled

    def encode(
        self, inputs: Inputs, training: bool | None = None, **asked: Any
    ) -> dict[str, Any]:
        """Call the encoder, without computing padding where nobody reads it.

        Args:
            inputs: As for `Encoder`; or with `shared_rows`, as for
                `kerasplm.shared_rows.encoded`.
            training: Whether dropout is on.
            **asked: Other arguments of `Encoder.call`.
        """
        if shared_rows.NAME in inputs:
            return shared_rows.encoded(self.encoder, inputs, training, **asked)
        asked["skip_padding"] = not self.scores_padding or _real_only.get()
        return self.encoder(inputs, training=training, **asked)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Train on one batch."""
        with real_tokens_only():
            return super().train_step(*args, **kwargs)

    def answer(
        self, outputs: Mapping[str, Tensor], question: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return what decoding asks after it has seen the outputs of a batch.

        Args:
            outputs: What the model returned for the batch.
            question: From `Kind.second_pass`.
        """
        raise NotImplementedError

    def objective(self, inputs: Inputs, targets: Any, outputs: Any) -> Tensor:
        """Return the loss of a batch, a scalar in float32.

        Args:
            inputs: What the model was called with.
            targets: As the features of the task give them.
            outputs: What the model returned.
        """
        raise NotImplementedError

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the compiled loss, or the model's own if none was compiled."""
        if getattr(self, "loss", None) is not None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if sample_weight is not None:
            raise ValueError(
                "sample weights need a compiled loss, such as "
                "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
            )
        return self.objective(x, y, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "labels": list(self.labels),
            "pair": self.pair,
            "task": self.task,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        config = dict(config)
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, config.pop("labels"), **config)

    def facts(self) -> dict[str, Any]:
        """Return what a configuration JSON of ours says of the head."""
        given = self.get_config()
        own = {key: given[key] for key in given if key not in ("encoder", "name")}
        return {"kind": self.kind, **own}


def check_attention(encoder: Encoder, pair: bool = False) -> None:
    """Make sure that the first token sees the whole input.

    Raises:
        ConfigError: The attention hides the text, or its second half, from it.
    """
    attention = encoder.config.attention
    if attention == "causal" or (attention == "unilm" and pair):
        raise ConfigError(
            f"with attention={attention!r} the first token, which is classified, "
            "does not see the text. Load the encoder with "
            "attention='bidirectional'"
        )


def model_inputs(inputs: Mapping[str, Tensor], *own: str) -> dict[str, Tensor]:
    """Return a batch without the inputs that only the head takes."""
    return {name: x for name, x in inputs.items() if name not in own}
