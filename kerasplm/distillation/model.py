"""The model that trains a student to do what a teacher does."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from kerasplm.checkpoint import body_of, components
from kerasplm.distillation import losses as formulas
from kerasplm.distillation import maps
from kerasplm.distillation.answers import answers, is_number
from kerasplm.distillation.batches import split_batch
from kerasplm.distillation.checks import LAYERS, check_models, checked_losses
from kerasplm.distillation.projection import Projection, Projections
from kerasplm.distillation.recording import Record, seen
from kerasplm.errors import ConfigError
from kerasplm.families import FAMILIES
from kerasplm.hooks import hooked
from kerasplm.pretraining.models import encoder_inputs
from kerasplm.pretraining.stepping import DistributedStep
from kerasplm.pretraining.terms import Measures, Term
from kerasplm.saving import known_family
from kerasplm.task_models import TaskModel

Tensor = Any
Batch = Mapping[str, Tensor]


class _Teacher:
    """Holds the teacher where Keras does not look: it is neither trained nor saved."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model


@keras.saving.register_keras_serializable(package="kerasplm")
class Distillation(DistributedStep, keras.Model):
    """Train a student to compute what a teacher computes.

    The loss is the sum of those that `losses` weights:

    - "attention": squared error of the scores before softmax, summed over layers;
    - "hidden": squared error of the projected outputs of the layers, summed;
    - "embedding": the same of the input of the first layer;
    - "prediction": cross-entropy to the teacher's probabilities (squared error of a
      regression);
    - "hard": the student's own loss on the true answers.

    Train it with `compile(optimizer)` and `fit`, under any `tf.distribute` strategy,
    on batches that are one dictionary: inputs and, for "hard", the true answers
    (`kerasplm.distillation.batches.one_dictionary`). The teacher computes without
    dropout and gradients and is no part of what is saved; save `student`, or the whole
    with `save_checkpoint`, which writes the student under its family's names.

    Args:
        teacher: An encoder or a model with one; for "prediction" a task model.
        student: The same kind of model, any family and size with that vocabulary.
        losses: Name to weight; default attention, hidden and embedding, 1 each.
        layer_map: See `kerasplm.distillation.maps.layer_map`.
        padding: "masked" counts real tokens and pairs of them; "tinybert" counts
            padding too, as TinyBERT's code does.
        projection: "shared" learns one projection for all states (TinyBERT),
            "embedding" another one for the embeddings, "per_layer" one for each.
        heads: "same" asks for equal numbers of attention heads; "mean" compares the
            means over the heads.
        temperature: Of the prediction loss.
        reduction: "rows" averages the prediction loss over rows and multiplies it by
            the temperature squared; "entries" averages over rows and classes
            (TinyBERT).
        name: Name of the model.

    Raises:
        ConfigError: The two do not fit together, or a choice does not exist.

    Example:
        >>> sizes = dict(vocab_size=100, num_attention_heads=2, intermediate_size=48)
        >>> teacher = Encoder(Config(hidden_size=24, num_hidden_layers=4, **sizes))
        >>> student = Encoder(Config(hidden_size=12, num_hidden_layers=2, **sizes))
        >>> Distillation(teacher, student).layers_of_teacher
        (1, 3)

    Source: huawei-noah/Pretrained-Language-Model TinyBERT (arXiv:1909.10351).
    """

    body: ClassVar[str] = "encoder"
    """Name of the encoder in the family tables."""

    def __init__(
        self,
        teacher: keras.Model,
        student: keras.Model,
        *,
        losses: Mapping[str, float] | None = None,
        layer_map: maps.LayerMap = "uniform",
        padding: Literal["masked", "tinybert"] = "masked",
        projection: Projections = "shared",
        heads: Literal["same", "mean"] = "same",
        temperature: float = 1.0,
        reduction: Literal["rows", "entries"] = "rows",
        name: str = "distillation",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.losses_of = checked_losses(losses)
        for what, value, known in (
            ("padding", padding, ("masked", "tinybert")),
            ("heads", heads, ("same", "mean")),
            ("reduction", reduction, ("rows", "entries")),
        ):
            if value not in known:
                raise ConfigError(
                    f"{what} must be one of {', '.join(known)}. Received: {value!r}"
                )
        if not temperature > 0:
            raise ConfigError(f"temperature must be positive. Received: {temperature}")
        self.padding, self.head_mode = padding, heads
        self.temperature, self.reduction = float(temperature), reduction
        self._hidden = _Teacher(teacher)
        self.student = student
        wide, narrow = body_of(teacher).config, body_of(student).config
        check_models(teacher, student, self.losses_of, heads)
        self.layers_of_teacher: tuple[int, ...] = ()
        self.projection: Projection | None = None
        if self.learns_layers:
            counts = (wide.num_hidden_layers, narrow.num_hidden_layers)
            self.layers_of_teacher = maps.layer_map(layer_map, *counts)
        if self.losses_of.keys() & {"hidden", "embedding"}:
            self.projection = Projection(narrow, wide.hidden_size, projection)
        self.built = True

    @property
    def teacher(self) -> keras.Model:
        """The teacher, which this model does not own."""
        return self._hidden.model

    @property
    def encoder(self) -> Any:
        """The encoder of the student."""
        return body_of(self.student)

    @property
    def learns_layers(self) -> bool:
        """Whether states or scores are compared."""
        return bool(self.losses_of.keys() & set(LAYERS))

    @property
    def learns_answers(self) -> bool:
        """Whether the student's head is trained."""
        return bool(self.losses_of.keys() & {"prediction", "hard"})

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """What training changes: not the student's head where no loss reaches it."""
        mine = list(self.student.trainable_variables)
        if not self.learns_answers:
            reached = (self.encoder.embeddings, *self.encoder.blocks)
            ids = {id(v) for layer in reached for v in layer.trainable_variables}
            mine = [v for v in mine if id(v) in ids]
        extra = () if self.projection is None else self.projection.trainable_variables
        return [*mine, *extra]

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """Return the same."""
        return self.trainable_variables

    @property
    def networks(self) -> list[Any]:
        """What `save_checkpoint` writes.

        The student; of an encoder the shared projection too where its family has a
        name for it.
        """
        if isinstance(self.student, TaskModel):
            return [self.student]
        family = FAMILIES.get(known_family(self.student) or "")
        layer = None if self.projection is None else self.projection.shared
        named = family is not None and "fit_dense/{w}" in family.weights
        return [self.student if layer is None or not named else self]

    def parts(self) -> dict[str, keras.layers.Layer]:
        """Return the student's heads and the shared projection, for checkpoints."""
        found = {n: x for n, x in components(self.student).items() if n != "encoder"}
        layer = None if self.projection is None else self.projection.shared
        return found if layer is None else found | {"fit_dense": layer}

    def call(self, inputs: Batch, training: bool | None = None) -> Any:
        """Return what the student says of a batch."""
        given, _, _ = split_batch(inputs)
        return self._run(self.student, given, bool(training))[0]

    def outcome(
        self, batch: Batch, training: bool = False
    ) -> tuple[dict[str, Term], Measures]:
        """Run a batch through both models.

        Args:
            batch: Inputs; "target" or "target/..." for "hard"; "teacher/..." for
                answers of the teacher that were computed before.
            training: Whether the student has dropout; the teacher never has.

        Returns:
            The summands of the loss; each also without its weight, as (sum, count).
        """
        inputs, targets, known = split_batch(batch)
        taught: Record | None = None
        if self.learns_layers or ("prediction" in self.losses_of and not known):
            outputs, taught = self._run(self.teacher, inputs, False)
            if "prediction" in self.losses_of and not known:
                known = self._answers(self.teacher, outputs, inputs)
            known = {name: ops.stop_gradient(x) for name, x in known.items()}
        outputs, learned = self._run(self.student, inputs, training)
        found: dict[str, formulas.Parts] = {}
        if taught is not None and learned is not None:
            found |= self._compared(learned, taught, *self._seen(inputs))
        if "prediction" in self.losses_of:
            found["prediction"] = self._prediction(outputs, known, inputs)
        if "hard" in self.losses_of:
            rows = ops.cast(ops.shape(inputs["token_ids"])[0], "float32")
            mean = self.student.objective(inputs, targets, outputs)
            found["hard"] = (ops.cast(mean, "float32") * rows, rows)
        terms = {n: Term(*found[n], 0.0, w) for n, w in self.losses_of.items()}
        return terms, {f"{name}_loss": pair for name, pair in found.items()}

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return the counts of the losses, of the layers without running a model."""
        if self.learns_answers:
            return super().counts(batch)
        tokens, pairs = self._seen(split_batch(batch)[0])
        if self.padding == "tinybert":
            tokens = ops.ones_like(tokens)
            pairs = ops.ones_like(tokens[:, None, :, None] & tokens[:, None, None, :])
        one = self.head_mode == "mean"
        heads = 1 if one else self.encoder.config.num_attention_heads
        width = body_of(self.teacher).config.hidden_size
        states = ops.sum(ops.cast(tokens, "float32")) * width
        found = {"attention": ops.sum(ops.cast(pairs, "float32")) * heads}
        found |= {"hidden": states, "embedding": states}
        return {name: found[name] for name in self.losses_of}

    def _run(
        self, model: keras.Model, inputs: Batch, training: bool
    ) -> tuple[Any, Record | None]:
        """Return the outputs of a model and, if layers are learned, its inside."""
        body: Any = body_of(model)
        call: Any = model
        if not isinstance(model, TaskModel):
            call, inputs = body, encoder_inputs(inputs, body)
        if not self.learns_layers:
            return call(dict(inputs), training=training), None
        record = Record()
        with hooked(body, record):
            outputs = call(dict(inputs), training=training)
        return outputs, record

    def _seen(self, inputs: Batch) -> tuple[Tensor, Tensor]:
        """Return which tokens are real, and which pairs of them, as `seen`."""
        if not isinstance(self.student, TaskModel):
            inputs = encoder_inputs(inputs, self.encoder)
        return seen(inputs, self.encoder)

    def _compared(
        self, student: Record, teacher: Record, tokens: Tensor, pairs: Tensor
    ) -> dict[str, formulas.Parts]:
        """Compare what both computed inside."""
        if self.padding != "masked":
            tokens = pairs = None
        found: dict[str, list[formulas.Parts]] = {}
        if "attention" in self.losses_of:
            found["attention"] = [
                formulas.attention(
                    student.scores[n],
                    ops.stop_gradient(teacher.scores[theirs]),
                    pairs,
                    mean=self.head_mode == "mean",
                )
                for n, theirs in enumerate(self.layers_of_teacher)
            ]
        if self.projection is not None:
            theirs = (0, *(n + 1 for n in self.layers_of_teacher))
            compared = [
                formulas.states(
                    self.projection(state, number=n),
                    ops.stop_gradient(teacher.states[theirs[n]]),
                    tokens,
                )
                for n, state in enumerate(student.states)
            ]
            found |= {"embedding": compared[:1], "hidden": compared[1:]}
        # All layers have the same count.
        return {
            name: (sum(total for total, _ in pairs_), pairs_[0][1])
            for name, pairs_ in found.items()
            if name in self.losses_of
        }

    def _answers(self, model: Any, outputs: Any, inputs: Batch) -> dict[str, Tensor]:
        if is_number(model):
            return {"logits": outputs}
        found = answers(model, outputs, inputs)
        return {name: answer.logits for name, answer in found.items()}

    def _prediction(
        self, outputs: Any, known: Mapping[str, Tensor], inputs: Batch
    ) -> formulas.Parts:
        """Compare the answers; those of several decisions are averaged."""
        if is_number(self.student):
            return formulas.squared_error(outputs, known["logits"])
        mine = answers(self.student, outputs, inputs)
        sums, counts = [], []
        if missing := sorted(set(mine) - set(known)):
            raise ConfigError(
                f"the student's head decides {', '.join(missing)}, the teacher's does "
                "not: expected the same kind of head"
            )
        for name, answer in mine.items():
            total, rows, entries = formulas.soft_cross_entropy(
                answer.logits,
                known[name],
                self.temperature,
                answer.rows,
                answer.classes,
            )
            each = self.reduction == "entries"
            sums.append(total if each else total * self.temperature**2)
            counts.append(entries if each else rows)
        return sum(sums), sum(counts)
