"""Questions and passages to windows of tokens, answers to places in them."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import tensorflow as tf

from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks.features import Features
from kerasplm.tasks.kinds.base import best_window, windows
from kerasplm.tasks.rows import QuestionRow
from kerasplm.tasks.targets import Targets

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings


@dataclasses.dataclass(frozen=True)
class SpanTargets(Targets):
    """Where the answer lies in each feature.

    Args:
        starts: (features,) int32, first token; 0 = the window does not hold the
            answer; -1 = nobody knows where the passage has it: no loss.
        ends: Likewise, last token.
        impossible: (features,) int32, 1 = the question has no answer.
    """

    starts: np.ndarray
    ends: np.ndarray
    impossible: np.ndarray
    teacher: ClassVar[tuple[str, ...]] = ("start_positions",)
    signature: ClassVar[Any] = {
        name: tf.TensorSpec([None], tf.int32)
        for name in ("start_positions", "end_positions", "is_impossible")
    }

    def batch(self, chosen: np.ndarray, length: int, rng: np.random.Generator) -> Any:
        """Return a dictionary of (B,) int32."""
        return {
            "start_positions": self.starts[chosen],
            "end_positions": self.ends[chosen],
            "is_impossible": self.impossible[chosen],
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Passage:
    ids: np.ndarray  # (tokens,)
    spans: np.ndarray  # (tokens, 2), characters

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token that characters [start, end) made."""
        first = int(np.searchsorted(self.spans[:, 1], start, side="right"))
        last = int(np.searchsorted(self.spans[:, 0], end, side="left")) - 1
        return (first, last) if first <= last else None


def question_features(
    rows: Sequence[QuestionRow], tokenizer: PythonTokenizer, settings: "Settings"
) -> Features:
    """Tokenize questions and passages; each passage once.

    Args:
        rows: The questions. With targets, unless one has no answers; a question is
            trained with its first answer.
        tokenizer: One that tells offsets.
        settings: `max_length`, `max_query_length`, `stride`.

    Source: `convert_examples_to_features` of google-research/bert run_squad.py, but
    for windows without the answer, which are kept, as in ELECTRA's code.
    """
    options = settings.options
    passages: dict[str, _Passage] = {}
    nowhere = np.full((options.max_query_length + 2, 2), -1, "int32")
    never = np.zeros(options.max_query_length + 2, bool)
    sep = np.array([tokenizer.sep_id], "int32")
    ids: list[np.ndarray] = []
    places: list[np.ndarray] = []
    best: list[np.ndarray] = []
    lengths: list[int] = []
    owner: list[int] = []
    answers: list[tuple[int, int]] = []
    questions = tokenizer.tokenize([row.question for row in rows])
    for n, (row, question) in enumerate(zip(rows, questions, strict=True)):
        if row.context not in passages:
            found, spans = tokenizer.tokenize_offsets(row.context)
            passages[row.context] = _Passage(
                np.array(found, "int32"), np.array(spans, "int32").reshape(-1, 2)
            )
        passage = passages[row.context]
        head = [tokenizer.cls_id, *question[: options.max_query_length], sep[0]]
        parts = windows(
            len(passage.ids), settings.max_length - len(head) - 1, options.stride
        )
        chosen = best_window(parts, len(passage.ids))
        target = _target(row, passage)
        for number, (start, end) in enumerate(parts):
            ids += [np.array(head, "int32"), passage.ids[start:end], sep]
            places += [nowhere[: len(head)], passage.spans[start:end], nowhere[:1]]
            best += [never[: len(head)], chosen[start:end] == number, never[:1]]
            lengths += [len(head), end - start + 1]
            owner.append(n)
            answers.append(_in_window(target, start, end, len(head)))
    both = np.array(lengths, "int64").reshape(-1, 2)
    targets = None
    if all(row.answers is not None for row in rows):
        ends = np.array(answers, "int32").reshape(-1, 2)
        none = np.array([not row.answers for row in rows], "int32")
        targets = SpanTargets(ends[:, 0], ends[:, 1], none[np.array(owner, "int64")])
    return Features(
        token_ids=_joined(ids, np.empty(0, "int32")),
        segment_ids=np.repeat(
            np.tile(np.array([0, 1], "int8"), len(both)), both.ravel()
        ),
        starts=np.concatenate([[0], np.cumsum(both.sum(1))]),
        pad_id=tokenizer.pad_id,
        owner=np.array(owner, "int64"),
        targets=targets,
        places=_joined(places, nowhere[:0]),
        best=_joined(best, never[:0]),
    )


def _joined(parts: list[np.ndarray], empty: np.ndarray) -> np.ndarray:
    return np.concatenate([empty, *parts])


_Target = tuple[int, int] | Literal["none", "unknown"]


def _target(row: QuestionRow, passage: _Passage) -> _Target:
    """Return the tokens of the first answer."""
    if not row.answers:
        return "none"
    first = row.answers[0]
    if first.start < 0:
        return "unknown"
    found = passage.tokens_of(first.start, first.start + len(first.text))
    return found or "unknown"


def _in_window(target: _Target, start: int, end: int, head: int) -> tuple[int, int]:
    """Return the tokens of an answer in a window that follows `head` tokens."""
    if target == "unknown":
        return -1, -1
    if target == "none" or target[0] < start or target[1] >= end:
        return 0, 0
    return target[0] - start + head, target[1] - start + head
