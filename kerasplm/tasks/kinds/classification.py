"""Classify texts and pairs of texts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.task_models import Classifier
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.formats.submissions import write_labels
from kerasplm.tasks.kinds.base import Kind, Options, Scores, windows
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.targets import ClassTargets, Targets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

_CHUNK = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions(Options):
    """Choices for texts that are longer than the model takes.

    Args:
        stride: 0 truncates. Else a long text, of a pair the second one, is cut into
            windows that begin so many tokens apart: each is trained with the label of
            the text, and their probabilities are averaged.
    """

    stride: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class ClassPrediction:
    """What a classifier says of a text.

    Args:
        label: The class.
        probabilities: (C,) float32, of all classes in the order of the task.
    """

    label: str
    probabilities: np.ndarray


class Classification(Kind):
    """Texts or pairs with one class each."""

    name = "classification"
    row = TextRow
    metric = "accuracy"
    options = TextOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize texts; the classes are the targets."""
        found = text_features(rows, tokenizer, settings)
        targets = self.targets(task, rows, found.owner)
        return dataclasses.replace(found, targets=targets)

    def targets(
        self, task: "Task", rows: Sequence[TextRow], owner: np.ndarray
    ) -> Targets | None:
        """Return the target of each feature, or None if rows have no labels."""
        if any(row.label is None for row in rows):
            return None
        index = {label: n for n, label in enumerate(task.labels)}
        classes = np.array([index[str(row.label)] for row in rows], "int32")
        return ClassTargets(classes[owner])

    def model(self, task: "Task", encoder: Encoder, settings: "Settings") -> Classifier:
        """Return a classifier."""
        return Classifier(
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
        """Return the probabilities of each feature."""
        exp = np.exp(outputs - outputs.max(-1, keepdims=True))
        return list(exp / exp.sum(-1, keepdims=True))

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Average over the windows of a text; decide the rows of a group together."""
        mean = mean_by_owner(np.stack(found), features.owner, len(rows))
        best = mean.argmax(-1)
        groups: dict[Any, list[int]] = {}
        for n, row in enumerate(rows):
            if row.group is not None:
                groups.setdefault(row.group, []).append(n)
        for members in groups.values():
            # The candidate with the highest probability of the last class has it.
            best[members] = 0
            best[members[int(mean[members, -1].argmax())]] = len(task.labels) - 1
        return [
            ClassPrediction(task.labels[b], row)
            for b, row in zip(best, mean, strict=True)
        ]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return accuracy, and the share of the most frequent label."""
        labels = [str(row.label) for row in rows]
        right = [p.label == label for p, label in zip(predictions, labels, strict=True)]
        _, counts = np.unique(labels, return_counts=True)
        return {
            "accuracy": float(np.mean(right)),
            "majority": float(counts.max() / len(rows)),
            "examples": len(rows),
        }

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return the cross-entropy of each row."""
        index = {label: n for n, label in enumerate(task.labels)}
        chosen = [
            p.probabilities[index[str(row.label)]]
            for row, p in zip(rows, predictions, strict=True)
        ]
        return -np.log(np.maximum(chosen, 1e-30))

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id, label and probabilities."""
        shares = (round(float(p), 6) for p in prediction.probabilities)
        return {
            "id": row.id,
            "label": prediction.label,
            "probabilities": dict(zip(task.labels, shares, strict=True)),
        }

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write CLUE's lines; of a group the place of the row that was chosen."""
        labels = [prediction.label for prediction in predictions]
        if rows and rows[0].group is not None:
            chosen: dict[Any, list[str]] = {}
            for row, label in zip(rows, labels, strict=True):
                chosen.setdefault(row.group, []).append(label)
            labels = [str(of.index(task.labels[-1])) for of in chosen.values()]
        write_labels(path, rows, labels, task.descriptions)


def text_features(
    rows: Sequence[TextRow], tokenizer: Any, settings: "Settings"
) -> Features:
    """Tokenize texts and pairs; long ones are truncated or cut into windows.

    Args:
        rows: The texts.
        tokenizer: From `load_tokenizer`.
        settings: `max_length`, and `stride` among the options.
    """
    if settings.options.stride:
        return _in_windows(rows, tokenizer, settings)
    paired = any(row.pair is not None for row in rows)
    ids, segments, lengths = [], [], []
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        pairs = [row.pair or "" for row in part] if paired else None
        texts = [row.text for row in part]
        batch = tokenizer(texts, pairs, max_length=settings.max_length)
        mask = np.asarray(batch["padding_mask"])
        ids.append(np.asarray(batch["token_ids"])[mask])
        segments.append(np.asarray(batch["segment_ids"])[mask].astype("int8"))
        lengths.append(mask.sum(1))
    return Features(
        token_ids=np.concatenate(ids).astype("int32"),
        segment_ids=np.concatenate(segments),
        starts=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]),
        pad_id=tokenizer.pad_id,
        owner=np.arange(len(rows)),
    )


def _in_windows(
    rows: Sequence[TextRow], tokenizer: Any, settings: "Settings"
) -> Features:
    firsts = token_lists(tokenizer, [row.text for row in rows])
    paired = any(row.pair is not None for row in rows)
    seconds = token_lists(tokenizer, [row.pair or "" for row in rows])
    cls, sep, stride = tokenizer.cls_id, tokenizer.sep_id, settings.options.stride
    found, owner = [], []
    for n, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
        if paired:
            # At least half of the room is for the second text, which is cut.
            room = settings.max_length - 3
            head = [cls, *first[: max(room - len(second), room // 2)], sep]
            long, size, type_id = second, settings.max_length - 1 - len(head), 1
        else:
            head, long, size, type_id = [cls], first, settings.max_length - 2, 0
        for start, end in windows(len(long), size, stride):
            body = [*long[start:end], sep]
            segments = [0] * len(head) + [type_id] * len(body)
            found.append(([*head, *body], segments))
            owner.append(n)
    return joined(found, tokenizer.pad_id, owner)


def token_lists(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text without special tokens, from either tokenizer."""
    out: list[list[int]] = []
    for start in range(0, len(texts), _CHUNK):
        found = tokenizer.tokenize(list(texts[start : start + _CHUNK]))
        out += found.to_list() if hasattr(found, "to_list") else found
    return out


def mean_by_owner(values: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """Average the rows of an array that belong to one owner.

    Args:
        values: (features, ...).
        owner: (features,), in order; every owner has a feature.
        count: Number of owners.

    Returns:
        (count, ...).
    """
    if len(values) == count:
        return values
    starts = np.searchsorted(owner, np.arange(count))
    sums = np.add.reduceat(values, starts, axis=0)
    return sums / np.bincount(owner, minlength=count)[:, None]
