"""Training that survives being killed: the state on disk, and the callback."""

import contextlib
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from kerasplm.errors import ConfigError
from kerasplm.state_files import load_state, opened, save_arrays, save_state


class TrainingState(keras.callbacks.Callback):
    """Save everything that a training needs to go on exactly where it was.

    The file holds all variables of model and optimizer (weights, moments, step, and
    the state of the dropout generators), the position in the data, the history and
    the best score. After a stop inside an epoch the history of that epoch counts its
    rest only. The file is written under another name and renamed, so that a kill at
    any moment leaves a whole file.

    Args:
        folder: Where to keep `state.npz` and `best.npz`.
        steps_per_epoch: Batches in one epoch.
        evaluate: Returns the scores of the model as it is.
        metric: The score that the best weights maximise.
        save_steps: Save after so many batches, and after each epoch.
        evaluations: Evaluations per epoch, the last one at its end.
        patience: Stop after so many evaluations without a better score.
    """

    def __init__(
        self,
        folder: Path,
        steps_per_epoch: int,
        *,
        evaluate: Callable[[], Mapping[str, float]] = dict,
        metric: str = "accuracy",
        save_steps: int = 500,
        evaluations: int = 1,
        patience: int | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.file = folder / "state.npz"
        self.best_file = folder / "best.npz"
        self.steps_per_epoch = steps_per_epoch
        self.evaluate = evaluate
        self.metric = metric
        self.save_steps = save_steps
        # Steps within the epoch after which to evaluate; its end is another one.
        shares = (n / evaluations for n in range(1, evaluations))
        self.pauses = {round(share * steps_per_epoch) for share in shares} - {0}
        self.patience = patience
        self.epoch, self.step = 0, 0
        self.best: float | None = None
        self.waited = 0  # evaluations since the best one
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of training, over all processes
        self._since = 0.0

    def restore(self, model: keras.Model) -> bool:
        """Put a compiled model into the saved state.

        Returns:
            Whether there was a state.

        Raises:
            CheckpointError: The file is damaged or belongs to another model.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".tmp-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if not self.file.exists():
            return False
        meta = load_state(self.file, model)
        self.epoch, self.step = meta["epoch"], meta["step"]
        self.best, self.waited = meta["best"], meta["waited"]
        self.history = meta["history"]
        self.seconds = meta["seconds"]
        return True

    def save(self) -> None:
        """Write the state of the model that is being trained."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        meta = {
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "waited": self.waited,
            "history": self.history,
            "seconds": self.seconds,
        }
        save_state(self.file, self.model, meta)

    def load_best(self, model: keras.Model) -> None:
        """Give the model the weights of its best epoch."""
        with opened(self.best_file) as data:
            for n, weight in enumerate(model.weights):
                weight.assign(data[str(n)])

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    @property
    def impatient(self) -> bool:
        """Whether the scores have not become better for too long."""
        return self.patience is not None and self.waited >= self.patience

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count; evaluate and save from time to time."""
        self.step += 1
        if self.step == self.steps_per_epoch:  # the end of the epoch follows
            return
        if self.step in self.pauses:
            epoch = self.epoch + self.step / self.steps_per_epoch
            self._judge(round(epoch, 4), {})
        if self.impatient or self.step % self.save_steps == 0:
            self.save()

    def _judge(self, epoch: float, logs: dict[str, float]) -> None:
        """Evaluate, record, and keep the best weights; with EMA those of the mean."""
        with averaged(self.model):
            self._score(epoch, logs)

    def _score(self, epoch: float, logs: dict[str, float]) -> None:
        logs |= {f"val_{name}": x for name, x in self.evaluate().items()}
        wrong = [key for key, value in logs.items() if not math.isfinite(value)]
        if wrong:
            raise ConfigError(
                f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not "
                f"finite after epoch {epoch:g}: the training diverged. Try a lower "
                "learning rate, in another output folder"
            )
        score = logs.get(f"val_{self.metric}")
        names = [key[4:] for key in logs if key.startswith("val_")]
        if names and score is None:
            raise ConfigError(f"no score {self.metric!r}; there are {', '.join(names)}")
        self.history.append({"epoch": epoch, **logs})
        self.waited += 1
        if score is not None and (self.best is None or score > self.best):
            self.best, self.waited = score, 0
            save_arrays(self.best_file, self.model.weights)
        if self.impatient:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Evaluate, record the epoch, keep the best weights, save."""
        if self.impatient:  # in the middle of the epoch: it is saved already
            return
        values = {key: float(value) for key, value in (logs or {}).items()}
        self._judge(epoch + 1, values)
        if logs is not None:
            logs.update(values)  # for the progress bar and other callbacks
        self.epoch, self.step = epoch + 1, 0
        self.save()


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Put the moving average of the weights into the model, if it keeps one."""
    optimizer = _inner(model)
    if not optimizer.use_ema or not optimizer.built:
        yield
        return
    weights = model.trainable_variables
    means = optimizer._model_variables_moving_average
    before = [keras.ops.copy(weight) for weight in weights]
    for weight, mean in zip(weights, means, strict=True):
        weight.assign(mean)
    try:
        yield
    finally:
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)


def _inner(model: keras.Model) -> keras.optimizers.Optimizer:
    """Return the optimizer; in mixed float16 it is wrapped."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def fit_on(
    model: keras.Model,
    state: TrainingState,
    epochs: int,
    batches: Callable[[int, int], Any],
    **fit: Any,
) -> None:
    """Call `fit` from wherever the state is to the last epoch.

    Args:
        model: Compiled, and restored by `state`.
        state: Where the training is.
        epochs: Number of epochs in all.
        batches: Gives the data from (epoch, step) to the end of the last epoch.
        **fit: Other arguments of `keras.Model.fit`.
    """
    # The state first: other callbacks see the scores that it adds to the logs.
    callbacks = [state, *fit.pop("callbacks", ())]
    # The batches come in their order already; Keras would warn that it adds none.
    common = {"callbacks": callbacks, "shuffle": False, **fit}
    if state.step and state.epoch < epochs and not state.impatient:
        # The rest of the epoch in which the training was stopped.
        model.fit(
            batches(state.epoch, state.step),
            initial_epoch=state.epoch,
            epochs=state.epoch + 1,
            steps_per_epoch=state.steps_per_epoch - state.step,
            **common,
        )
        if _inner(model).use_ema:
            # At the end of `fit` Keras puts the moving average into the model.
            state.restore(model)
    if state.epoch < epochs and not state.impatient:
        model.fit(
            batches(state.epoch, 0),
            initial_epoch=state.epoch,
            epochs=epochs,
            steps_per_epoch=state.steps_per_epoch,
            **common,
        )
