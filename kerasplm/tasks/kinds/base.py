"""What a kind of task is: how its rows become features, and outputs become answers."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.task_models import TaskModel
from kerasplm.tasks.choices import check_types
from kerasplm.tasks.features import Features
from kerasplm.tasks.rows import Row

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

Scores = dict[str, float]
Ask = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of the choices that only one kind of task has."""


class Kind(abc.ABC):
    """One kind of tasks. It holds no state: the task and the settings say the rest.

    Training and evaluation are the same for all: rows become features, batches of
    features run through the model, `found` reads the outputs of a batch, and
    `predictions` puts together what was found in the features of one row.
    """

    name: ClassVar[str]
    row: ClassVar[type[Row]]
    """Class of its rows."""
    metric: ClassVar[str]
    """Score that the best weights maximise; a task may name another one."""
    options: ClassVar[type[Options]] = Options
    """Its own choices, with their defaults."""
    writes: ClassVar[bool] = False
    """Whether its models write texts (`written`), not only score what is there."""
    bodies: ClassVar[tuple[type[keras.Model], ...]] = (Encoder,)
    """What its models are built on."""

    def longest(self, settings: "Settings") -> int:
        """Return the most tokens that a model has to take at once."""
        return int(settings.max_length)

    @abc.abstractmethod
    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize rows; with targets if every row has its answer.

        Args:
            task: The declaration.
            rows: Of class `row`.
            tokenizer: From `load_tokenizer`.
            settings: Lengths and the kind's options.
        """

    def training_rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Return the rows of the training set that are trained on; default all."""
        return rows

    @abc.abstractmethod
    def model(self, task: "Task", encoder: Any, settings: "Settings") -> TaskModel:
        """Return the model, not compiled; the encoder is one of `bodies`."""

    def watched(
        self, rows: Sequence[Any], features: Features, settings: "Settings"
    ) -> tuple[Sequence[Any], Features]:
        """Return what of the development set is evaluated in training; default all."""
        return rows, features

    def written(
        self,
        model: keras.Model,
        tokenizer: Any,
        features: Features,
        chosen: np.ndarray,
        settings: "Settings",
    ) -> Any:
        """Return what a model writes, which `found` gets as outputs, if it `writes`.

        Args:
            model: From `model`.
            tokenizer: From `load_tokenizer`.
            features: All features.
            chosen: Numbers of the features in the batch.
            settings: Options of the decoder.
        """
        raise NotImplementedError

    def second_pass(
        self,
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
        ask: Ask,
    ) -> Any:
        """Return the outputs of a batch with what the model says on further questions.

        Most kinds have none.

        Args:
            features: All features.
            chosen: Numbers of the features in the batch.
            outputs: What the model returned, as numpy arrays in float32.
            settings: Thresholds.
            ask: Maps a question (arrays) to what `TaskModel.answer` says (arrays).
        """
        return outputs

    @abc.abstractmethod
    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return what the model found in each feature of a batch.

        Args:
            task: The declaration.
            features: All features.
            chosen: Numbers of the features in the batch.
            outputs: What the model returned, as numpy arrays in float32.
            settings: Thresholds and beams.
        """

    @abc.abstractmethod
    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Return one prediction per row from what was found in all features."""

    @abc.abstractmethod
    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Compare with the answers as the official script does.

        Returns:
            Scores as shares in [0, 1] (correlations in [-1, 1]); `examples` is the
            number of rows.
        """

    @abc.abstractmethod
    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return how wrong each prediction is (rows,): 0 right, more is worse."""

    @abc.abstractmethod
    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return a prediction as plain values for JSON, with the id of the row."""

    @abc.abstractmethod
    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write the file that the leaderboard takes."""

    def with_options(self, changes: Mapping[str, Any]) -> Options:
        """Return the kind's options with some changed.

        Raises:
            ConfigError: There is no such option.
        """
        known = [field.name for field in dataclasses.fields(self.options)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise ConfigError(
                f"{', '.join(unknown)}: no such option for a task of kind "
                f"{self.name!r}; there are {', '.join(known) or 'none'}"
            )
        check_types(self.options, changes)
        return self.options(**changes)


def with_offsets(tokenizer: Any) -> PythonTokenizer:
    """Return the tokenizer that tells where in the text each token comes from."""
    if isinstance(tokenizer, PythonTokenizer):
        return tokenizer
    return PythonTokenizer(tokenizer.vocab, **tokenizer.get_config())


def windows(length: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Cut a length into overlapping windows, as run_squad.py of BERT does.

    Args:
        length: Number of tokens.
        size: Most tokens of a window.
        stride: Tokens from the begin of one window to that of the next.

    Returns:
        Begin and end of each window; one empty window for no tokens.

    Example:
        >>> windows(10, 6, 3)
        [(0, 6), (3, 9), (6, 10)]

    Source: `convert_examples_to_features` of google-research/bert run_squad.py.
    """
    found = []
    start = 0
    while True:
        end = min(start + size, length)
        found.append((start, end))
        if end >= length:
            return found
        start += min(size, stride)


def best_window(spans: Sequence[tuple[int, int]], length: int) -> np.ndarray:
    """Return for each token the window in which it has the most context.

    The context is the smaller of the numbers of tokens on both sides, plus a
    hundredth of the window's length; of equal ones the first window wins.

    Args:
        spans: From `windows`.
        length: Number of tokens.

    Source: `_check_is_max_context` of google-research/bert run_squad.py.
    """
    score = np.full(length, -1.0)
    best = np.zeros(length, "int64")
    for n, (start, end) in enumerate(spans):
        at = np.arange(start, end)
        context = np.minimum(at - start, end - 1 - at) + 0.01 * (end - start)
        better = context > score[start:end]
        score[start:end][better] = context[better]
        best[start:end][better] = n
    return best


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities (..., C) of logits (..., C)."""
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(exp / exp.sum(-1, keepdims=True))
