"""Answer questions by a part of a passage: CMRC 2018, DRCD, SQuAD."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.evaluation.cmrc import cmrc_em, cmrc_f1, cmrc_scores
from kerasplm.evaluation.squad import squad2_scores, squad_em, squad_f1, squad_scores
from kerasplm.families import family_named
from kerasplm.task_models import SpanExtractor
from kerasplm.task_models.span import STYLES
from kerasplm.tasks.features import Features
from kerasplm.tasks.formats.submissions import write_answers
from kerasplm.tasks.kinds.base import (
    Kind,
    Options,
    Scores,
    with_offsets,
)
from kerasplm.tasks.kinds.span_decoding import (
    Candidates,
    SpanPrediction,
    answer,
    candidates,
)
from kerasplm.tasks.kinds.span_features import question_features
from kerasplm.tasks.rows import QuestionRow
from kerasplm.tasks.targets import places_in

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

# Where the code of BERT and of ELECTRA gives up: by the difference of two scores, or
# by the logit of "no answer".
_THRESHOLD, _JUDGED_THRESHOLD = 0.0, -2.75


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanOptions(Options):
    """Choices for questions on passages.

    Args:
        head: Key of `kerasplm.task_models.span.STYLES`: whose head; "" = that of the
            code which the encoder comes from.
        max_query_length: Tokens of the question; a longer one is cut.
        stride: Tokens from the begin of one window of the passage to the next.
        n_best: Starts and ends that are paired, and candidates to keep.
        max_answer_length: Tokens of an answer.
        version2: Whether a question may have no answer.
        null_threshold: Larger scores of "no answer" give "". Default 0, or -2.75 where
            the head judges it, as in the code of BERT and ELECTRA.
        evaluator: The official scorer: "cmrc" (Chinese) or "squad" (English).

    Raises:
        ConfigError: A number is out of range, or a name unknown.
    """

    head: str = ""
    max_query_length: int = 64
    stride: int = 128
    n_best: int = 20
    max_answer_length: int = 30
    version2: bool = False
    null_threshold: float | None = None
    evaluator: Literal["cmrc", "squad"] = "cmrc"

    def __post_init__(self) -> None:
        """Check the choices."""
        for name in ("max_query_length", "stride", "n_best", "max_answer_length"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1. Received: {getattr(self, name)}"
                )
        for name, known in (
            ("head", ("", *STYLES)),
            ("evaluator", ("cmrc", "squad")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"{name} must be one of {', '.join(map(repr, known))}. Received: "
                    f"{getattr(self, name)!r}"
                )


class SpanExtraction(Kind):
    """Questions on passages."""

    name = "span"
    row = QuestionRow
    metric = "average"
    options = SpanOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Return [CLS] question [SEP] window [SEP] for every window of the passage.

        Raises:
            ConfigError: `max_length` leaves no room for the passage.
        """
        options = settings.options
        if settings.max_length < options.max_query_length + 4:
            raise ConfigError(
                f"max_length={settings.max_length} leaves no room for the passage "
                f"beside a question of {options.max_query_length} tokens "
                "(max_query_length)"
            )
        return question_features(rows, with_offsets(tokenizer), settings)

    def model(
        self, task: "Task", encoder: Encoder, settings: "Settings"
    ) -> SpanExtractor:
        """Return the encoder with the head of its original code, or the chosen one."""
        arguments: Mapping[str, Any] = {}
        if settings.options.head:
            arguments = {"head": settings.options.head}
        elif encoder.family:
            arguments = family_named(encoder.family).span
        return SpanExtractor(
            encoder, dropout=settings.head_dropout, task=task.name, **arguments
        )

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the candidates of each window."""
        assert features.places is not None
        assert features.best is not None
        at, mask = places_in(features.starts, chosen)
        places = np.full((*mask.shape, 2), -1, "int32")
        places[mask] = features.places[at]
        best = np.zeros(mask.shape, bool)
        best[mask] = features.best[at]
        options = settings.options
        return candidates(
            outputs, places, best, mask, options.n_best, options.max_answer_length
        )

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Choose among the candidates of all windows of a passage."""
        first = np.searchsorted(features.owner, np.arange(len(rows) + 1))
        return [
            _answer(row.context, found[first[n] : first[n + 1]], settings.options)
            for n, row in enumerate(rows)
        ]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return EM, F1 and their mean, by which CLUE chooses a checkpoint.

        Raises:
            DataError: A question has no reference.
        """
        options = self._options(task)
        references = {row.id: [one.text for one in row.answers or ()] for row in rows}
        texts = {row.id: one.text for row, one in zip(rows, predictions, strict=True)}
        if options.evaluator == "cmrc":
            found = cmrc_scores(references, texts)
            em, f1 = found["EM"], found["F1"]
        elif options.version2:
            found = squad2_scores(references, texts)
            em, f1 = found["exact"], found["f1"]
        else:
            found = squad_scores(references, texts)
            em, f1 = found["exact_match"], found["f1"]
        scores = {"em": em / 100, "f1": f1 / 100, "average": (em + f1) / 200}
        for name, theirs in (("has_answer_f1", "HasAns_f1"), ("no_answer", "NoAns_f1")):
            if theirs in found:
                scores[name] = found[theirs] / 100
        return scores | {"examples": len(rows)}

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return 1 less the mean of EM and F1 of each question."""
        options = self._options(task)
        em, f1 = (
            (cmrc_em, cmrc_f1) if options.evaluator == "cmrc" else (squad_em, squad_f1)
        )
        out = []
        for row, one in zip(rows, predictions, strict=True):
            if row.answers:
                texts = [answer.text for answer in row.answers]
                out.append(1.0 - (em(texts, one.text) + f1(texts, one.text)) / 2.0)
            else:
                out.append(float(one.text != ""))
        return np.array(out)

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return the answer, its place, and the best candidates."""
        shown = dataclasses.asdict(prediction)
        return {"id": row.id, "question": row.question, **shown}

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write {question: answer}."""
        write_answers(path, rows, [one.text for one in predictions])

    def _options(self, task: "Task") -> Any:
        return self.with_options(task.options)


def _answer(
    passage: str, found: Sequence[Candidates], options: SpanOptions
) -> SpanPrediction:
    threshold = options.null_threshold
    if threshold is None:
        threshold = _JUDGED_THRESHOLD if found[0].judged else _THRESHOLD
    return answer(
        passage,
        found,
        n_best=options.n_best,
        version2=options.version2,
        threshold=threshold,
    )
