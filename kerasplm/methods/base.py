"""What the training methods share: the step, the perturbed call, the mixin."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from kerasplm.errors import ConfigError
from kerasplm.state_files import build_optimizer

Tensor = Any


class Batch(NamedTuple):
    """What one step of training gets."""

    x: Any
    y: Any
    sample_weight: Any


class Method:
    """A way to compute loss and gradients of one step; plain training as it stands.

    Subclasses say what has to be known before (`prepare`) and what the loss is.
    """

    def prepare(self, model: keras.Model, batch: Batch) -> Any:
        """Return what `loss` needs, computed outside of the gradient."""
        return None

    def loss(
        self, model: keras.Model, batch: Batch, prepared: Any
    ) -> tuple[Tensor, Any]:
        """Return the loss to minimise, and the outputs that the metrics see."""
        outputs = model(batch.x, training=True)
        return batch_loss(model, batch, outputs), outputs

    def logits(self, outputs: Any) -> Tensor:
        """Return the logits (B, C) or (B, T, C) among the outputs of a model.

        Raises:
            ConfigError: There are none, or only one class.
        """
        found: Any = outputs.get("logits") if isinstance(outputs, dict) else outputs
        if not hasattr(found, "shape") or len(found.shape) < 2 or found.shape[-1] < 2:
            raise ConfigError(
                f"{type(self).__name__} compares the probabilities of classes. "
                "Expected logits of at least two classes, as a tensor or under "
                f"'logits'. Received: {_described(outputs)}"
            )
        return found

    def train_step(self, model: keras.Model, data: Any) -> dict[str, Any]:
        """Update a compiled model by one batch, as `keras.Model.train_step` does.

        Args:
            model: With `encoder.embeddings.word`, built and compiled.
            data: `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            The logs: the loss and the metrics so far.
        """
        import tensorflow as tf

        batch = Batch(*keras.utils.unpack_x_y_sample_weight(data))
        prepared = self.prepare(model, batch)
        with tf.GradientTape() as tape:
            loss, outputs = self.loss(model, batch, prepared)
            scaled = model.optimizer.scale_loss(loss)
        weights = model.trainable_weights
        gradients = tape.gradient(scaled, weights)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        rows = tf.shape(tf.nest.flatten(batch.x)[0])[0]
        for metric in model.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=rows)
        return model.compute_metrics(
            batch.x, batch.y, outputs, sample_weight=batch.sample_weight
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Method":
        """Build from what `get_config` returned."""
        return cls(**config)


class MethodTraining:
    """Give a `keras.Model` the argument `method` of `compile`.

    Inherit from it before the model class. Without a method the model trains as Keras
    does. The method is saved with the compiled model.

    Example:
        >>> class Trained(MethodTraining, keras.Model): ...
        >>> model = Trained(inputs, outputs)  # doctest: +SKIP
        >>> model.compile("adam", loss, method=FGM())  # doctest: +SKIP
    """

    method: Method | None = None

    def compile(self, *args: Any, method: Method | None = None, **kwargs: Any) -> None:
        """Compile as Keras does, to train with a method.

        Args:
            *args: For `keras.Model.compile`.
            method: How to train; None as usual.
            **kwargs: For `keras.Model.compile`.

        Raises:
            ConfigError: `method` is none, or the backend is not TensorFlow.
        """
        if method is not None and not isinstance(method, Method):
            raise ConfigError(
                "method must be one of kerasplm.methods, as FGM(). Received: "
                f"{method!r}"
            )
        if method is not None and keras.backend.backend() != "tensorflow":
            raise ConfigError(
                "training methods need the TensorFlow backend. Received: "
                f"{keras.backend.backend()}"
            )
        self.method = method
        super().compile(*args, **kwargs)  # type: ignore[misc]

    def train_step(self, *args: Any) -> Any:
        """Update by one batch; on JAX the state of all variables comes before it."""
        if self.method is None:
            return super().train_step(*args)  # type: ignore[misc]
        return self.method.train_step(self, *args)

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` as plain values."""
        config = super().get_compile_config()  # type: ignore[misc]
        if self.method is None or not config:
            return config
        return config | {"method": keras.saving.serialize_keras_object(self.method)}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        model: Any = self
        if model.built:
            build_optimizer(model)


def batch_loss(model: keras.Model, batch: Batch, outputs: Any) -> Tensor:
    """Return the loss for which the model was compiled."""
    return model.compute_loss(
        x=batch.x,
        y=batch.y,
        y_pred=outputs,
        sample_weight=batch.sample_weight,
        training=True,
    )


def word_table(model: keras.Model) -> keras.Variable:
    """Return the word table (V, E) of a model's encoder.

    Raises:
        ConfigError: There is none.
    """
    try:
        return model.encoder.embeddings.word
    except AttributeError:
        raise ConfigError(
            "the method perturbs the word table of an encoder: expected a model with "
            f"encoder.embeddings.word. Received: {type(model).__name__}"
        ) from None


def call_at(model: keras.Model, x: Any, delta: Tensor) -> Any:
    """Return the outputs with `delta` (V, E) added to the word table, in training."""
    table = word_table(model)
    with keras.StatelessScope([(table, table.value + delta)]) as scope:
        outputs = model(x, training=True)
    for variable in model.non_trainable_variables:
        # The dropout generators moved on inside the scope only. (A frozen table is
        # among these variables too.)
        value = scope.get_current_value(variable)
        if value is not None and variable is not table:
            variable.assign(value)
    return outputs


def table_gradient(
    model: keras.Model, x: Any, delta: Tensor, function: Callable[[Any], Tensor]
) -> Tensor:
    """Return the gradient (V, E) of a function of the outputs, at E + delta."""
    import tensorflow as tf

    table = word_table(model).value
    with tf.GradientTape() as tape:
        tape.watch(table)  # it may be frozen
        scaled = model.optimizer.scale_loss(function(call_at(model, x, delta)))
    return unscaled(model, tape.gradient(scaled, table))


def unscaled(model: keras.Model, gradient: Tensor) -> Tensor:
    """Return a gradient of a scaled loss as a dense one of the loss itself."""
    import tensorflow as tf

    # As rows it may hold the same word several times.
    dense = tf.cast(tf.convert_to_tensor(gradient), "float32")
    return dense / tf.cast(model.optimizer.scale_loss(tf.ones(())), "float32")


def norm(x: Tensor) -> Tensor:
    """Return the length of a whole matrix."""
    import tensorflow as tf

    return tf.sqrt(tf.reduce_sum(tf.square(x)))


def step_along(direction: Tensor, length: float) -> Tensor:
    """Return a matrix of that direction and length.

    Where the loss scale of mixed precision made the direction overflow it is 0; the
    optimizer then lowers the scale.
    """
    import tensorflow as tf

    size = norm(direction)
    step = direction * (length / (size + 1e-8))
    return tf.where(tf.math.is_finite(size), step, tf.zeros_like(step))


def check_lengths(method: Method, *names: str) -> None:
    """Make sure that the arguments of those names are lengths or weights."""
    for name in names:
        value = getattr(method, name)
        if not 0 <= value < math.inf:
            raise ConfigError(
                f"{type(method).__name__}: {name} must be at least 0 and finite. "
                f"Received: {value}"
            )


def check_count(method: Method, name: str) -> None:
    """Make sure that the argument of that name is a positive whole number."""
    value = getattr(method, name)
    if not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"{type(method).__name__}: {name} must be a positive whole number. "
            f"Received: {value!r}"
        )


def _described(outputs: Any) -> str:
    if isinstance(outputs, dict):
        return f"outputs named {', '.join(sorted(outputs))}"
    return f"shape {tuple(outputs.shape)}" if hasattr(outputs, "shape") else "a list"
