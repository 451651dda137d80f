"""Choose one of several candidates: questions on a text, idioms for a blank."""

import array
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluation.labels import accuracy
from kerasplm.task_models import MultipleChoice
from kerasplm.tasks.features import Features
from kerasplm.tasks.formats.submissions import (
    write_choice_list,
    write_choices,
    write_idioms,
)
from kerasplm.tasks.kinds.base import Kind, Options, Scores, softmax
from kerasplm.tasks.kinds.choice_layouts import INVALID, Sequences, layout_named
from kerasplm.tasks.rows import ChoiceRow
from kerasplm.tasks.targets import ClassTargets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

_WRITERS = {
    "lines": write_choices,
    "list": write_choice_list,
    "dictionary": write_idioms,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChoiceOptions(Options):
    """Choices of tasks with candidates.

    Args:
        layout: "question": [CLS] context [SEP] question [SEP] choice [SEP] (C3);
            "cloze": [CLS] choice [SEP] left [unused1] right [SEP] (CHID).
        fill: Fewer candidates are filled up to so many with an invalid answer, which
            is wrong in training and is never predicted; 0 does not fill up.
        blank: Token that marks the blank of a cloze.
        exclusive: Whether each candidate is the answer of one row of a group at most.
        submission: "lines" of JSON, a "list", or a "dictionary" by the rows' ids.

    Raises:
        ConfigError: There is no such layout or form of submission.
    """

    layout: str = "question"
    fill: int = 0
    blank: str = "[unused1]"
    exclusive: bool = False
    submission: str = "lines"

    def __post_init__(self) -> None:
        """Check the names."""
        layout_named(self.layout, max_length=2**31)
        if self.submission not in _WRITERS:
            raise ConfigError(
                f"submission must be one of {', '.join(_WRITERS)}. Received: "
                f"{self.submission!r}"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class ChoicePrediction:
    """Which candidate a model chooses.

    Args:
        answer: Place of the candidate.
        probabilities: (candidates,) float32. Their highest is the answer, unless each
            candidate may be taken once only.
    """

    answer: int
    probabilities: np.ndarray


class Choice(Kind):
    """Questions with candidates of which one is right."""

    name = "choice"
    row = ChoiceRow
    metric = "accuracy"
    options = ChoiceOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize; a feature is a question with one sequence per candidate.

        Raises:
            DataError: A row has no candidates.
        """
        options = settings.options
        layout = layout_named(options.layout, settings.max_length)
        for row in rows:
            if not row.choices:
                raise DataError(f"row {row.id!r}: expected choices, found none")
        filled = [_filled(row, options.fill) for row in rows]
        width = max((len(row.choices) for row in filled), default=0)
        found = layout(filled, tokenizer, settings.max_length, options.blank)
        features = _features(found, width, tokenizer.pad_id)
        if any(row.answer is None for row in rows):
            return features
        answers = np.array([row.answer for row in rows], "int32")
        return dataclasses.replace(features, targets=ClassTargets(answers))

    def model(
        self, task: "Task", encoder: Encoder, settings: "Settings"
    ) -> MultipleChoice:
        """Return a model with one score per candidate."""
        return MultipleChoice(
            encoder,
            task.labels,
            pair=task.pair,
            dropout=settings.head_dropout,
            task=task.name,
        )

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the logits of each question."""
        return list(outputs)

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Choose by softmax, or one after the other in the rows of a group."""
        logits = [
            np.asarray(x)[: len(row.choices)]
            for x, row in zip(found, rows, strict=True)
        ]
        answers = [int(row.argmax()) for row in logits]
        if settings.options.exclusive:
            groups: dict[Any, list[int]] = {}
            for n, row in enumerate(rows):
                if row.group is not None:
                    groups.setdefault(row.group, []).append(n)
            members = [group for group in groups.values() if len(group) > 1]
            assigned = exclusive([[logits[n] for n in group] for group in members])
            for group, places in zip(members, assigned, strict=True):
                for n, place in zip(group, places, strict=True):
                    answers[n] = place
        return [
            ChoicePrediction(answer, softmax(row))
            for answer, row in zip(answers, logits, strict=True)
        ]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return the accuracy, and what guessing gives.

        Where rows have groups, `accuracy_alone` is that of every row decided on its
        own, and `groups` the share of groups without a mistake.
        """
        right = [row.answer for row in rows]
        chosen = [p.answer for p in predictions]
        scores: Scores = {"accuracy": accuracy(right, chosen)}
        whole: dict[Any, bool] = {}
        for row, place in zip(rows, chosen, strict=True):
            if row.group is not None:
                whole[row.group] = whole.get(row.group, True) and place == row.answer
        if whole:
            alone = [int(p.probabilities.argmax()) for p in predictions]
            scores["accuracy_alone"] = accuracy(right, alone)
            scores["groups"] = sum(whole.values()) / len(whole)
        chance = float(np.mean([1 / len(row.choices) for row in rows]))
        return scores | {"chance": chance, "examples": len(rows)}

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return the cross-entropy of each row."""
        chosen = [
            p.probabilities[row.answer]
            for row, p in zip(rows, predictions, strict=True)
        ]
        return -np.log(np.maximum(chosen, 1e-30))

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id, place and text of the answer, and all probabilities."""
        return {
            "id": row.id,
            "label": prediction.answer,
            "answer": row.choices[prediction.answer],
            "probabilities": [round(float(p), 6) for p in prediction.probabilities],
        }

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write the places of the answers in the form that the task names."""
        options: Any = self.with_options(task.options)
        _WRITERS[options.submission](path, rows, [p.answer for p in predictions])


def exclusive(groups: Sequence[Sequence[np.ndarray]]) -> list[list[int]]:
    """Choose a candidate for each row of every group, none twice within a group.

    Of all scores of a group the highest is taken, then the highest of the rows and
    candidates that are left, and so on. Scores are compared as they are, not as
    probabilities; of equal ones that of the first candidate is taken, then that of the
    first row. Rows for which no candidate is left take their best.

    Args:
        groups: For each group the scores (candidates,) of each row.

    Returns:
        For each group the place of the candidate of each row.

    Example:
        >>> exclusive([[np.array([3.0, 2.9]), np.array([2.0, 0.5])]])
        [[0, 1]]

    Source: `get_final_predictions` of CLUEbenchmark/CLUE CHID_preprocess.py.
    """
    if not groups:
        return []
    sizes = [len(group) for group in groups]
    most = max(sizes)
    width = max(len(row) for group in groups for row in group)
    # Candidates first, in the order in which equal scores are compared.
    scores = np.full((len(groups), width, most), -np.inf)
    for g, group in enumerate(groups):
        for r, row in enumerate(group):
            scores[g, : len(row), r] = row
    answers = scores.argmax(1)
    number = np.arange(len(groups))
    for _ in range(min(width, most)):
        best = scores.reshape(len(groups), -1).argmax(1)
        candidate, row = np.divmod(best, most)
        left = scores[number, candidate, row] > -np.inf
        some = number[left]
        answers[some, row[left]] = candidate[left]
        scores[some, candidate[left], :] = -np.inf
        scores[some, :, row[left]] = -np.inf
    return [list(map(int, a[:size])) for a, size in zip(answers, sizes, strict=True)]


def _filled(row: ChoiceRow, fill: int) -> ChoiceRow:
    missing = fill - len(row.choices)
    if missing <= 0:
        return row
    return dataclasses.replace(row, choices=(*row.choices, *[INVALID] * missing))


def _features(rows: Iterable[Sequences], width: int, pad_id: int) -> Features:
    """Put sequences together; rows get empty ones up to the same number."""
    # Machine integers: a task may have millions of sequences.
    ids, segments = array.array("i"), array.array("b")
    lengths = array.array("q")
    count = 0
    for sequences in rows:
        count += 1
        for tokens, first in sequences:
            ids.extend(tokens)
            segments.extend([0] * first + [1] * (len(tokens) - first))
            lengths.append(len(tokens))
        lengths.extend([0] * (width - len(sequences)))
    return Features(
        token_ids=np.array(ids, "int32"),
        segment_ids=np.array(segments, "int8"),
        starts=np.concatenate([[0], np.cumsum(np.array(lengths, "int64"))]),
        pad_id=pad_id,
        owner=np.arange(count),
        choices=width,
    )
