"""BERT-of-Theseus: layers of a small model take the places of those of a large one."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from kerasplm.checkpoint import body_of
from kerasplm.config import Config
from kerasplm.distillation.batches import split_batch
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.hooks import Hook, hooked
from kerasplm.pretraining.stepping import DistributedStep
from kerasplm.pretraining.terms import Measures, Term
from kerasplm.task_models import TaskModel

Tensor = Any
Batch = Mapping[str, Tensor]

# What may differ between the two.
_OWN = (
    *("num_hidden_layers", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("initializer_range", "dropout", "task"),
)


class LinearReplacing:
    """Raise the probability of a replacement from step to step: min(1, k t + b).

    Args:
        begin: The probability at step 0, b.
        steps: Updates after which it is 1: k = (1 - b) / steps.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> [float(LinearReplacing(0.5, 100)(step)) for step in (0, 50, 200)]
        [0.5, 0.75, 1.0]

    Source: arXiv:2002.02925, section 3.3.
    """

    def __init__(self, begin: float, steps: int) -> None:
        if not 0 <= begin <= 1 or steps < 1:
            raise ConfigError(
                "begin must be in [0, 1] and steps positive. Received: "
                f"begin={begin}, steps={steps}"
            )
        self.begin, self.steps = float(begin), int(steps)

    def __call__(self, step: Tensor) -> Tensor:
        """Return the probability at a step, counted from 0."""
        share = ops.cast(step, "float32") / self.steps
        return ops.minimum(1.0, self.begin + (1.0 - self.begin) * share)


class _Predecessor:
    """Holds the predecessor where Keras does not look."""

    def __init__(self, model: TaskModel) -> None:
        self.model = model


@keras.saving.register_keras_serializable(package="kerasplm")
class Theseus(DistributedStep, keras.Model):
    """Train a successor with fewer layers within its predecessor.

    Each of the successor's layers, and its embeddings, are a module beside as many
    layers of the predecessor. In each step and for each module a coin, the same for
    all rows of the batch, decides which of the two computes the input of the next
    modules. The predecessor, its head and its pooler stay as they are; the successor
    is given that head. Outside of training it computes alone.

    Train it with `compile(optimizer)` and `fit` on batches as `Distillation` takes
    them, with "target"; then fine-tune the successor alone.

    Args:
        predecessor: A trained task model.
        successor: A task model of the same kind, of the same sizes but for the number
            of layers; its encoder begins as the first layers of the predecessor's, see
            `kerasplm.distillation.students.first_layers`.
        replace: Probability that the successor's module is taken, in (0, 1]; or a
            function of the step, such as `LinearReplacing`.
        seed: Of the coins.
        name: Name of the model.

    Raises:
        ConfigError: The two do not fit together, or the probability is out of range.

    Example:
        >>> model = Theseus(predecessor, successor, replace=0.5)  # doctest: +SKIP

    Source: bojone/bert4keras examples/task_iflytek_bert_of_theseus.py;
        arXiv:2002.02925.
    """

    def __init__(
        self,
        predecessor: TaskModel,
        successor: TaskModel,
        *,
        replace: float | Callable[[Tensor], Tensor] = 0.5,
        seed: int = 0,
        name: str = "theseus",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self._hidden = _Predecessor(predecessor)
        self.successor = successor
        self._check()
        if not callable(replace) and not 0 < replace <= 1:
            raise ConfigError(f"replace must be in (0, 1]. Received: {replace}")
        self.replace = replace
        self.coins = keras.random.SeedGenerator(seed)
        self._give_head()
        self.built = True

    @property
    def predecessor(self) -> TaskModel:
        """The predecessor, which this model does not own."""
        return self._hidden.model

    @property
    def encoder(self) -> Any:
        """The encoder of the successor."""
        return self.successor.encoder

    @property
    def networks(self) -> list[Any]:
        """What `save_checkpoint` writes: the successor."""
        return [self.successor]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """What training changes: embeddings and layers of the successor."""
        encoder = self.encoder
        layers = (encoder.embeddings, *encoder.blocks)
        return [v for layer in layers for v in layer.trainable_variables]

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """Return the same."""
        return self.trainable_variables

    def call(self, inputs: Batch, training: bool | None = None) -> Any:
        """Return what the successor says; in training what the mixed model says."""
        given, _, _ = split_batch(inputs)
        if not training:
            return self.successor(given, training=False)
        with hooked(self.encoder, _Mixing(self)):
            return self.successor(given, training=True)

    def outcome(
        self, batch: Batch, training: bool = False
    ) -> tuple[dict[str, Term], Measures]:
        """Return the successor's own loss on the true answers.

        Args:
            batch: Inputs, and "target" or "target/...".
            training: Whether modules of the predecessor are mixed in.
        """
        inputs, targets, _ = split_batch(batch)
        outputs = self(inputs, training=training)
        rows = ops.cast(ops.shape(inputs["token_ids"])[0], "float32")
        mean = self.successor.objective(inputs, targets, outputs)
        total = ops.cast(mean, "float32") * rows
        return {"task": Term(total, rows, 0.0, 1.0)}, {"task_loss": (total, rows)}

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return the count of the loss: the rows."""
        return {"task": ops.cast(ops.shape(batch["token_ids"])[0], "float32")}

    def probability(self) -> Tensor:
        """Return the probability of a replacement at the present step."""
        if not callable(self.replace):
            return ops.convert_to_tensor(float(self.replace), "float32")
        return self.replace(self.optimizer.iterations)

    def _give_head(self) -> None:
        """Give the successor the head and the pooler of the predecessor."""
        mine, theirs = self.successor.parts(), self.predecessor.parts()
        for name, layer in mine.items():
            layer.set_weights(theirs[name].get_weights())
        pooler = self.predecessor.encoder.pooler
        if pooler is not None:
            self.encoder.pooler.set_weights(pooler.get_weights())

    def _check(self) -> None:
        old, new = self.predecessor, self.successor
        for who, model in (("predecessor", old), ("successor", new)):
            if not isinstance(model, TaskModel):
                raise ConfigError(
                    f"the {who} must be a task model. Received: {type(model).__name__}"
                )
        mine, theirs = _facts(new), _facts(old)
        wrong = [name for name in mine if mine[name] != theirs.get(name)]
        if wrong:
            told = ", ".join(f"{n}={mine[n]!r} for {theirs.get(n)!r}" for n in wrong)
            raise ConfigError(
                "the successor must be as the predecessor but for the number of "
                f"layers; found {told}"
            )
        counts = [len(m.encoder.layers_in_order()) for m in (old, new)]
        if counts[0] % counts[1]:
            raise ConfigError(
                f"the {counts[0]} layers of the predecessor cannot be divided among "
                f"the {counts[1]} layers of the successor"
            )


def _facts(model: TaskModel) -> dict[str, Any]:
    """Return what has to be the same in both models."""
    config: Config = model.encoder.config
    both = {**config.to_dict(), **model.facts()}
    return {name: x for name, x in both.items() if name not in _OWN}


class _Mixing(Hook):
    """Lets every module of the successor throw its coin.

    Args:
        model: What holds both models.
    """

    def __init__(self, model: Theseus) -> None:
        self.model = model
        self.old: Encoder = body_of(model.predecessor)
        self.before = self.old.layers_in_order()
        self.size = len(self.before) // len(model.encoder.layers_in_order())

    def embedded(self, x: Tensor, asked: Mapping[str, Any]) -> Tensor:
        """Take the embeddings of the one or of the other."""
        rest = dict(asked)
        _, y = self.old.embeddings(rest.pop("token_ids"), **rest, training=False)
        return self._one_of(x, ops.stop_gradient(y))

    def applied(
        self,
        number: int,
        before: Tensor,
        x: Tensor,
        scores: Tensor,
        asked: Mapping[str, Any],
    ) -> Tensor:
        """Take the layer of the successor or those of the predecessor."""
        y, begin = before, number * self.size
        for block in self.before[begin : begin + self.size]:
            y, *_ = block(y, **{**asked, "training": False})
        return self._one_of(x, y)

    def _one_of(self, mine: Tensor, theirs: Tensor) -> Tensor:
        drawn = keras.random.uniform((), seed=self.model.coins)
        taken = ops.cast(drawn < self.model.probability(), mine.dtype)
        return taken * mine + (1 - taken) * theirs
