"""The loop of pre-training: from batches to checkpoints, whatever interrupts it."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

from kerasplm.errors import ConfigError, DataError
from kerasplm.precision import computed_in
from kerasplm.pretraining.flops import measured_peak
from kerasplm.pretraining.logs import Log, Silence
from kerasplm.pretraining.results import Result, write_results
from kerasplm.pretraining.stages import Stage
from kerasplm.pretraining.state import Checkpoints, Position
from kerasplm.pretraining.strategies import (
    check_same,
    describe,
    distribute,
    is_chief,
)
from kerasplm.pretraining.training_settings import (
    Settings,
    optimizer_of,
    schedule_of,
)
from kerasplm.saving import save_checkpoint

# A loss scale that fell so low has no number left that does not overflow.
_LOWEST_SCALE = 2.0**-20


class Data(Protocol):
    """What a training reads: the same batches in the same order, from any place.

    Both methods give the rows of one machine in as many parts as it has replicas, see
    `strategies.divided`.
    """

    def batches(
        self, stage: int, skip: int, shard: tuple[int, int], replicas: int
    ) -> tf.data.Dataset:
        """Return the batches of a stage after its first `skip` ones."""
        ...

    def held_out(
        self, stage: int, count: int, shard: tuple[int, int], replicas: int
    ) -> tf.data.Dataset | None:
        """Return `count` batches or fewer for the evaluation; None has none."""
        ...


def pretrain(
    build: Callable[[], keras.Model],
    data: Data,
    output: str | Path,
    *,
    settings: Settings,
    strategy: tf.distribute.Strategy | None = None,
    export: Callable[[keras.Model, Path], None] | None = None,
    show: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> Result:
    """Pre-train a model.

    Calling it again with the same arguments goes on where it was stopped, by whatever,
    and ends with the same weights as if it had not been; on another number of replicas
    with the same up to rounding.

    Args:
        build: Makes the model, a `DistributedStep`; called under the strategy, in the
            precision and with the seed of the settings.
        data: The batches.
        output: Folder for the results: `checkpoints/step-N/` (TF1 names,
            configuration), `checkpoints/best.json`, `history.csv`, `tensorboard/`,
            `learning_curve.png`, `results.json`, and `state/` to go on from. Several
            machines need a folder that all of them see.
        settings: The choices.
        strategy: On what to train, see `strategy_of`; None: one device.
        export: Writes the model into a folder; default under its TF1 names.
        show: Whether to tell on the terminal how it goes.
        facts: More for `results.json`.

    Returns:
        The trained model and its history.

    Raises:
        PLMError: Something does not fit; or the training diverged. The states and
            checkpoints that were written before stay.

    Example:
        >>> pretrain(build, data, "out", settings=Settings(steps=1000))
        ... # doctest: +SKIP
    """
    strategy = strategy or tf.distribute.get_strategy()
    folder = Path(output).expanduser()
    run = _Run(folder, data, settings, strategy, export or _export)
    model = run.begin(build)
    with run.log(show) as log:
        if is_chief(strategy):
            log.say(
                f"{model.count_params():,} weights, {describe(strategy)}, from step "
                f"{run.position.step} to {settings.steps}"
            )
        run.train(log)
    result = Result(model, list(log.rows), run.position, folder)
    if is_chief(strategy):
        write_results(result, settings, {**run.facts(), **(facts or {})})
    return result


class _Run:
    """One process of a training."""

    def __init__(
        self,
        folder: Path,
        data: Data,
        settings: Settings,
        strategy: tf.distribute.Strategy,
        export: Callable[[keras.Model, Path], None],
    ) -> None:
        self.folder, self.data, self.settings = folder, data, settings
        self.strategy = strategy
        self.chief = is_chief(strategy)
        self.checkpoints = Checkpoints(
            folder, settings.keep, lambda goal: export(self.model, goal)
        )
        self.position = Position()
        self.peak: float | None = None
        self.held_out: dict[int, int] = {}
        """Batches of the evaluation of each stage."""
        for stage in settings.parts():
            _check_rows(stage, settings, strategy)

    def begin(self, build: Callable[[], keras.Model]) -> Any:
        """Make the model and put it where the training was."""
        settings = self.settings
        with self.strategy.scope(), computed_in(settings.precision, mixed=True):
            keras.utils.set_random_seed(settings.seed)
            self.model: Any = build()
            self.model.accumulation = settings.accumulation
            self.model.compile(
                optimizer=optimizer_of(settings),
                jit_compile=_jit(settings),
                steps_per_execution=settings.steps_per_execution,
            )
            if self.chief:
                self.checkpoints.clean()
            self.position = self.checkpoints.restore(self.model)
        check_same(self.strategy, self.position.step, self.folder)
        if settings.peak_flops is not None and self.chief:
            self.peak = settings.peak_flops or measured_peak(settings.precision)
            self.peak *= self.strategy.num_replicas_in_sync
        return self.model

    def log(self, show: bool) -> Log | Silence:
        """Return the log: only one process writes."""
        if not self.chief:
            return Silence()
        self._prepare(0, 0)
        names = [metric.name for metric in self.model.metrics]
        columns = [*names, "learning_rate", "tokens_per_second", "utilisation"]
        columns.append("loss_scale")
        hidden = ("gradient_norm", "skipped", "tokens")
        if self.data.held_out(0, 1, (0, 1), 1) is not None:
            shown = [name for name in names if name not in hidden]
            best = self.settings.best
            if best not in shown:
                raise ConfigError(f"best: no {best!r}; there are {', '.join(shown)}")
            columns += [f"val_{name}" for name in shown]
        end = self.settings.steps
        return Log(self.folder, columns, self.position.step, end, show)

    def train(self, log: Any) -> None:
        """Run through all stages that are left."""
        begin = 0
        for number, stage in enumerate(self.settings.parts()):
            end = begin + stage.steps
            if self.position.step < end:
                self._stage(number, begin, end, log)
            begin = end

    def _prepare(self, number: int, skip: int) -> None:
        machines = max(1, self.strategy.num_replicas_in_sync)
        # One replica's rows: as if each were a machine of its own.
        one = self.data.batches(number, skip, (0, machines), 1)
        self.model.prepare(one.element_spec)

    def _stage(self, number: int, begin: int, end: int, log: Any) -> None:
        stage = self.settings.parts()[number]
        settings, model = self.settings, self.model
        step = self.position.step

        def make(shard: tuple[int, int], replicas: int) -> tf.data.Dataset:
            return self.data.batches(number, step - begin, shard, replicas)

        self._prepare(number, step - begin)
        # Each stage has its own shapes: one function for both would have open ones.
        model.make_train_function(force=True)
        model.make_test_function(force=True)
        iterator = iter(distribute(self.strategy, make))
        model.reset_metrics()
        clock, logged = time.perf_counter(), step
        while step < end:
            before, step = step, min(step + settings.steps_per_execution, end)
            try:
                logs = model.train_function(iterator, step - before)
            except (StopIteration, tf.errors.OutOfRangeError) as error:
                raise DataError(
                    f"the data ended before step {step} of {settings.steps}"
                ) from error
            due = _Due(before, step, end, settings)
            if not due.log:
                continue
            values = {name: float(value) for name, value in logs.items()}
            now = time.perf_counter()
            seconds, count = now - clock, step - logged
            self._check(values, step)
            self.position.step = step
            self.position.seconds += seconds
            self.position.tokens += values["tokens"] * count
            values |= self._speed(values, stage, seconds, count, step)
            model.reset_metrics()
            if due.evaluation:
                values |= self._evaluate(number, step)
            left = values.pop("seconds_left")
            log.write(step, values)
            log.progress(step, {**values, "seconds_left": left})
            if due.save and self.chief:
                self.checkpoints.save(model, self.position)
            clock, logged = time.perf_counter(), step

    def _check(self, values: Mapping[str, float], step: int) -> None:
        """Stop a training that diverged, before anything of it is saved."""
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        optimizer = self.model.optimizer
        scale = getattr(optimizer, "dynamic_scale", None)
        low = scale is not None and _number(scale) < _LOWEST_SCALE
        if not wrong and not low:
            return
        what = f"{' and '.join(wrong)} not finite" if wrong else "no loss scale fits"
        newest = self.checkpoints.newest()
        last = "nothing was saved yet" if newest is None else f"{newest} is the last"
        raise ConfigError(
            f"step {step}: {what}: the training diverged; {last}. Try a lower "
            "learning rate or a longer warm-up, in another output folder"
        )

    def _speed(
        self,
        values: Mapping[str, float],
        stage: Stage,
        seconds: float,
        count: int,
        step: int,
    ) -> dict[str, float]:
        rate = schedule_of(self.settings)
        taken = _number(self.model.optimizer.iterations) - 1
        found = {
            "learning_rate": rate if isinstance(rate, float) else float(rate(taken)),
            "tokens_per_second": values["tokens"] * count / seconds,
            "seconds_left": (self.settings.steps - step) * seconds / count,
        }
        flops = self.model.flops_per_row
        if self.peak and flops is not None:
            # Backwards takes twice the work of forwards.
            work = 3 * flops * stage.batch_size * count
            found["utilisation"] = work / seconds / self.peak
        scale = getattr(self.model.optimizer, "dynamic_scale", None)
        if scale is not None:
            found["loss_scale"] = _number(scale)
        return found

    def _evaluate(self, number: int, step: int) -> dict[str, float]:
        model, count = self.model, self.settings.eval_batches
        whole = self.data.held_out(number, count, (0, 1), 1)
        if whole is None:
            return {}
        if number not in self.held_out:  # to count them reads them
            self.held_out[number] = int(whole.reduce(0, lambda n, _: n + 1))
        count = self.held_out[number]

        def make(shard: tuple[int, int], replicas: int) -> Any:
            return self.data.held_out(number, count, shard, replicas)

        logs = model.test_function(iter(distribute(self.strategy, make)), count)
        found = {f"val_{name}": float(value) for name, value in logs.items()}
        found.pop("val_tokens", None)
        model.reset_metrics()
        score = found[f"val_{self.settings.best}"]
        best, smaller = self.position.best, "loss" in self.settings.best
        if best is None or (score < best if smaller else score > best):
            self.position.best, self.position.best_step = score, step
        return found

    def facts(self) -> dict[str, Any]:
        """Return on what the training ran."""
        return {
            "strategy": describe(self.strategy),
            "flops_per_row": self.model.flops_per_row,
            "peak_flops": self.peak,
        }


class _Due:
    """What is to be done after the steps from `before` (excluded) to `step`."""

    def __init__(self, before: int, step: int, end: int, settings: Settings) -> None:
        def crossed(every: int) -> bool:
            return step == end or step // every > before // every

        self.save = crossed(settings.save_steps)
        self.evaluation = crossed(settings.eval_steps or settings.save_steps)
        # A better evaluation is worth a checkpoint; a state begins a new line.
        self.save = self.save or self.evaluation
        self.log = self.save or crossed(settings.log_steps)


def _check_rows(stage: Stage, settings: Settings, strategy: Any) -> None:
    parts = strategy.num_replicas_in_sync * settings.accumulation
    if stage.batch_size % parts:
        raise ConfigError(
            f"batch_size={stage.batch_size} must be a multiple of {parts}: "
            f"{strategy.num_replicas_in_sync} replicas times accumulation="
            f"{settings.accumulation}"
        )


def _jit(settings: Settings) -> bool:
    if settings.jit is not None:
        return settings.jit
    return bool(tf.config.list_physical_devices("GPU"))


def _number(variable: Any) -> float:
    return float(keras.ops.convert_to_numpy(variable))


def _export(model: keras.Model, folder: Path) -> None:
    save_checkpoint(model, folder / "model.ckpt")
