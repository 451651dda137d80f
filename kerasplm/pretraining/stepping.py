"""Training steps whose result does not depend on how a batch is divided."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.pretraining.executing import steps_on_iterator
from kerasplm.pretraining.flops import matmul_flops
from kerasplm.pretraining.reductions import Ratio, dense, only_if, summed, tokens

Tensor = Any
Batch = Mapping[str, Tensor]

# A replica's seeds are those of the first one plus a multiple of this: Keras draws
# seeds below 10**9, so no two generators meet.
_REPLICA = 1_000_000_007
# So many draws of one generator fit into one step.
_DRAWS = 2**20
_OF_TRAINING = ("gradient_norm", "skipped")


class _Prepared:
    """What a model needs in its steps and Keras need not track."""

    def __init__(self) -> None:
        self.ratios: dict[str, Ratio] = {}
        self.seeds: list[tuple[keras.Variable, int]] | None = None
        self.flops: int | None = None
        self.measures: dict[str, tuple[int, ...]] = {}

    def zeros(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Return measures of nothing."""
        return {
            name: (tf.zeros(shape), tf.zeros(shape))
            for name, shape in self.measures.items()
        }


class DistributedStep:
    """Mix-in for `keras.Model`: exact steps under any `tf.distribute` strategy.

    The loss is sum of weight * total / (count + epsilon) over the terms, where total
    and count are those of the whole batch, wherever its rows lie. So the counts are
    summed over replicas before the division, and the gradients before they are
    clipped. (Keras averages losses of replicas whose counts differ, and clips what
    each replica has alone.)

    With `accumulation` each replica runs through its rows in so many parts, one after
    the other, and updates once: the same gradients as of the whole, in the memory of
    a part. Losses between rows, such as in-batch similarities, see one part only.

    Random numbers depend on seed, step and replica alone, so that nothing has to be
    kept for a restart, and no two replicas drop the same units.

    Under float16 a step whose gradients overflow changes no weight, does not count
    for the schedule, and enters no metric but `skipped`.

    A model gives:

    - `outcome(batch, training) -> (terms, measures)`: `terms` maps names to values
      with the fields total, count, epsilon, weight; `measures` maps names to pairs
      of a sum and the sum of its weights.
    - `counts(batch)` maps the same names to the counts, if there is a shorter way
      than through `outcome`.

    Example:
        >>> class Model(DistributedStep, keras.Model):  # doctest: +SKIP
        ...     def outcome(self, batch, training=False): ...
    """

    accumulation: int = 1
    optimizer: Any
    compiled: bool
    run_eagerly: bool
    steps_per_execution: int
    train_function: Any
    test_function: Any
    jit_compile: Any
    variables: list[keras.Variable]
    distribute_strategy: tf.distribute.Strategy
    outcome: Callable[..., tuple[Mapping[str, Any], Mapping[str, Any]]]

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return the count of every term; it depends on the batch alone."""
        # Nothing else of the outcome is used: the graph drops the computation of it.
        terms, _ = self.outcome(batch, training=False)
        return {name: term.count for name, term in terms.items()}

    def prepare(self, spec: Any) -> None:
        """Create the variables of optimizer and metrics, and count the work.

        `fit` does it by itself. Call it after the weights were restored.

        Args:
            spec: `element_spec` of the data set, of one replica or of all.
        """
        if not hasattr(self, "_prepared"):
            self._prepared = _Prepared()
        it = self._prepared
        if it.seeds is None:
            states = [v for v in self.variables if v.name == "seed_generator_state"]
            it.seeds = [
                (v, int(keras.ops.convert_to_numpy(v)[0]))
                for v in {id(v): v for v in states}.values()
            ]
        with self.distribute_strategy.scope():
            if self.compiled and self.optimizer is not None:
                if not self.optimizer.built:
                    self.optimizer.build(self._trained)
                # They are reduced before they are clipped; not once more.
                inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
                inner._all_reduce_sum_gradients = list
            forward = tf.function(
                lambda batch: self.outcome(batch, training=False)[1], autograph=False
            ).get_concrete_function(spec)
            it.measures = {
                name: tuple(total.shape)
                for name, (total, _) in forward.structured_outputs.items()
            }
            for name in ("loss", *it.measures, "gradient_norm", "tokens", "skipped"):
                if name not in it.ratios:
                    it.ratios[name] = Ratio(name, it.measures.get(name, ()))
        rows = next(iter(spec.values())).shape[0]
        whole = matmul_flops(forward.graph)
        it.flops = None if whole is None or not rows else whole // rows

    @property
    def flops_per_row(self) -> int | None:
        """Multiplications and additions of matrices, forward, for one row."""
        return self._prepared.flops

    @property
    def metrics(self) -> list[Ratio]:
        """The metrics of the model, once `prepare` has run."""
        found: _Prepared | None = getattr(self, "_prepared", None)
        return [] if found is None else list(found.ratios.values())

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Update the weights by one batch."""
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        # Before anything is drawn: the counts may run through `outcome`.
        counts = summed(self.counts(batch))
        self._draw_from(self._step())
        found = self._alone(self._gradients)(batch, counts)
        gradients = dict(enumerate(found.pop("gradients")))
        gradients, sums = summed(gradients), summed(found)
        scale = tf.cast(self.optimizer.scale_loss(1.0), "float32")
        norm = tf.linalg.global_norm(list(gradients.values())) / scale
        weights = self._trained
        pairs = [(g, weights[self._present[n]]) for n, g in gradients.items()]
        self.optimizer.apply_gradients(pairs)
        good = tf.constant(True)
        if hasattr(self.optimizer, "dynamic_scale"):
            good = tf.math.is_finite(norm)
        self._record(sums, good)
        ratios = self._prepared.ratios
        ratios["gradient_norm"].update_state(*only_if(good, norm, 1.0))
        ratios["skipped"].update_state(tf.where(good, 0.0, 1.0))
        return {name: ratio.result() for name, ratio in ratios.items()}

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Measure one batch."""
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        counts = summed(self.counts(batch))
        ratios = self._prepared.ratios
        self._draw_from(tf.cast(ratios["loss"].sums[1], "int64"))

        def measured(batch: Batch, counts: Any) -> dict[str, Any]:
            loss, measures = self._loss(batch, counts, training=False)
            return {"loss": loss, "measures": measures, "tokens": tokens(batch)}

        self._record(summed(self._alone(measured)(batch, counts)), True)
        return {n: r.result() for n, r in ratios.items() if n not in _OF_TRAINING}

    def make_train_function(self, force: bool = False) -> Any:
        """Make what trains on the next batches of an iterator."""
        if force or self.train_function is None:
            self.train_function = self._function(self.train_step, ())
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Make what measures the next batches of an iterator."""
        if force or self.test_function is None:
            self.test_function = self._function(self.test_step, _OF_TRAINING)
        return self.test_function

    def _function(self, step: Any, hidden: Sequence[str]) -> Callable[..., Any]:
        # XLA compiles for one device: of several replicas each is compiled alone.
        whole = bool(self.jit_compile) and not (self._replicated or self._on_tpu)
        ratios = self._prepared.ratios
        shown = {name: r for name, r in ratios.items() if name not in hidden}
        return steps_on_iterator(self, step, whole, shown, ratios["tokens"])

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        # In Keras it looks for unbuilt layers; these models are whole from the start.
        if iterator is not None:
            spec = iterator._distributed_dataset.element_spec
            spec = spec[0] if isinstance(spec, tuple) else spec
            one = {n: getattr(s, "_value_specs", [s])[0] for n, s in spec.items()}
            self.prepare(one)
        elif data_batch is not None:
            self.prepare(
                {
                    n: tf.TensorSpec.from_tensor(tf.convert_to_tensor(x))
                    for n, x in data_batch[0].items()
                }
            )

    @property
    def _trained(self) -> list[keras.Variable]:
        found: Any = self
        return list(found.trainable_variables)

    def _step(self) -> Tensor:
        return tf.cast(tf.convert_to_tensor(self.optimizer.iterations), "int64")

    def _draw_from(self, step: Tensor) -> None:
        """Set the generators to what belongs to a step and a replica."""
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, "int64")
        assert self._prepared.seeds is not None
        for state, seed in self._prepared.seeds:
            state.assign(tf.stack([seed + _REPLICA * replica, step * _DRAWS]))

    def _gradients(self, batch: Batch, counts: Batch) -> dict[str, Any]:
        """Run through the rows of this replica, part by part."""
        parts = self.accumulation
        weights = self._trained
        rows = next(iter(batch.values())).shape[0]
        if parts < 1 or (rows is not None and rows % parts):
            raise ConfigError(
                f"accumulation={parts} must divide the {rows} rows of a replica"
            )

        present: set[int] = set()

        def one(part: Batch) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                loss, measures = self._loss(part, counts, training=True)
                scaled = self.optimizer.scale_loss(loss)
            found = tape.gradient(scaled, [weight.value for weight in weights])
            # The same for every part: what the loss does not reach has no gradient.
            present.update(n for n, g in enumerate(found) if g is not None)
            gradients = [
                tf.zeros(w.shape, w.dtype) if g is None else dense(g)
                for g, w in zip(found, weights, strict=True)
            ]
            return {
                "gradients": gradients,
                "loss": loss,
                "measures": measures,
                "tokens": tokens(part),
            }

        if parts == 1:
            sums = one(batch)
        else:
            stacked = {
                name: tf.reshape(x, [parts, -1, *x.shape[1:]])
                for name, x in batch.items()
            }

            def add(n: Tensor, sums: Any) -> tuple[Tensor, Any]:
                found = one({name: x[n] for name, x in stacked.items()})
                return n + 1, tf.nest.map_structure(tf.add, sums, found)

            begin = {
                "gradients": [tf.zeros(w.shape, w.dtype) for w in weights],
                "loss": tf.constant(0.0),
                "measures": self._prepared.zeros(),
                "tokens": tf.constant(0.0),
            }
            _, sums = tf.while_loop(
                lambda n, _: n < parts,
                add,
                (tf.constant(0), begin),
                maximum_iterations=parts,
            )
        self._present = sorted(present)
        sums["gradients"] = [sums["gradients"][n] for n in self._present]
        return sums

    def _loss(self, batch: Batch, counts: Batch, training: bool) -> tuple[Any, Any]:
        """Return this replica's share of the loss, and its measures."""
        terms, measures = self.outcome(batch, training=training)
        shares = [
            term.weight * tf.cast(term.total, "float32") / (counts[n] + term.epsilon)
            for n, term in terms.items()
        ]
        floats = {
            name: (tf.cast(total, "float32"), tf.cast(count, "float32"))
            for name, (total, count) in measures.items()
        }
        return tf.add_n(shares), floats

    def _record(self, sums: dict[str, Any], good: Any) -> None:
        ratios = self._prepared.ratios
        ratios["loss"].update_state(*only_if(good, sums["loss"], 1.0))
        ratios["tokens"].update_state(sums["tokens"])
        for name, (total, count) in sums["measures"].items():
            ratios[name].update_state(*only_if(good, total, count))

    @property
    def _replicated(self) -> bool:
        # XLA compiles for one device; on a TPU it does so for all by itself.
        return self.distribute_strategy.num_replicas_in_sync > 1

    @property
    def _on_tpu(self) -> bool:
        return isinstance(self.distribute_strategy, tf.distribute.TPUStrategy)

    def _alone(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compile what one replica does between two exchanges."""
        if self._replicated and not self._on_tpu and self.jit_compile:
            compiled: Callable[..., Any] = tf.function(
                function, jit_compile=True, autograph=False
            )
            return compiled
        return function
