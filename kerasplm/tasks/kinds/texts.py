"""What tasks on texts and pairs of texts share: tokens, windows, their mean."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.task_models import Classifier
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.kinds.base import Kind, Options, windows
from kerasplm.tasks.rows import TextRow
from kerasplm.tasks.targets import Targets

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

    def __post_init__(self) -> None:
        """Check the number."""
        if self.stride < 0:
            raise ConfigError(f"stride must not be negative. Received: {self.stride}")


class TextKind(Kind):
    """Base of the kinds that say one thing of a text or of a pair of texts."""

    row = TextRow
    options = TextOptions
    one_value: ClassVar[tuple[str, ...]] = ()
    """Labels of the model where the task has none."""

    @abc.abstractmethod
    def targets(
        self, task: "Task", rows: Sequence[TextRow], owner: np.ndarray
    ) -> Targets:
        """Return the target of each feature; every row has a label.

        Args:
            task: The declaration.
            rows: The rows.
            owner: (features,), the row of each feature.
        """

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize texts; the labels are the targets."""
        found = text_features(rows, tokenizer, settings)
        if any(row.label is None for row in rows):
            return found
        targets = self.targets(task, rows, found.owner)
        return dataclasses.replace(found, targets=targets)

    def model(self, task: "Task", encoder: Encoder, settings: "Settings") -> Classifier:
        """Return a model with one output for each label."""
        return Classifier(
            encoder,
            task.labels or self.one_value,
            pair=task.pair,
            dropout=settings.head_dropout,
            task=task.name,
        )


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
    counts = np.bincount(owner, minlength=count)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))
