"""Pipelines that are kinds of tasks: rows are made of raw input instead of files."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras

from kerasplm.errors import ConfigError, DataError
from kerasplm.pipelines.base import LONGEST, Pipeline
from kerasplm.pipelines.items import fields_of, text_of, texts_of
from kerasplm.task_models import TaskModel, TextGenerator
from kerasplm.tasks.formats import Format
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.kinds.generation import GenerationOptions
from kerasplm.tasks.rows import (
    ChoiceRow,
    EntityRow,
    QuestionRow,
    RelationRow,
    SourceRow,
    TextRow,
)
from kerasplm.tasks.task import Task


class JudgedPipeline(Pipeline):
    """Base of the pipelines of one kind of tasks.

    Args:
        model: A task model of the kind.
        tokenizer: From `load_tokenizer`.
        batch_size: As for `Pipeline`.
        max_length: Default is that of the training, if it was ours.
        trained: What `finetune` wrote of the task; {} if unknown.
        **options: Choices of the kind, such as thresholds; default is as trained.

    Raises:
        ConfigError: The model is of another kind, or there is no such option.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        batch_size: int = 32,
        max_length: int | None = None,
        trained: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(model, TaskModel) or kind_of(model) != self.kind:
            found = type(model).__name__
            if isinstance(model, TaskModel):
                found += f", a model of kind {kind_of(model)!r}"
            raise ConfigError(
                f"pipeline {self.task!r}: expected a model of kind {self.kind!r}, "
                f"found a {found}"
            )
        trained = trained or {}
        super().__init__(
            model,
            tokenizer,
            batch_size=batch_size,
            max_length=max_length or trained.get("max_length"),
        )
        self.declared = task_of(model, trained)
        self.settings = self.declared.settings(
            batch_size=batch_size, max_length=self.max_length, **options
        )
        self.judge = Judge(self.declared, model, self.settings, self.tokenizer)

    @property
    def traces(self) -> int:
        """How many graphs were traced so far."""
        return self.judge.traces

    def run(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Answer rows."""
        pairs = zip(rows, self.predict(rows), strict=True)
        return [self.show(row, prediction) for row, prediction in pairs]

    def predict(self, rows: Sequence[Any]) -> list[Any]:
        """Return the predictions of the kind, such as `ClassPrediction`."""
        features = self.declared.features(rows, self.tokenizer, self.settings)
        return self.judge.predict(rows, features)[0]

    def show(self, row: Any, prediction: Any) -> dict[str, Any]:
        """Return a prediction as plain values, without the id that nobody gave."""
        shown = self.declared.engine.show(self.declared, row, prediction)
        return {key: value for key, value in shown.items() if key != "id"}


class TextPipeline(JudgedPipeline):
    """Texts, or pairs of texts where the model was trained on pairs.

    Args:
        model: As for `JudgedPipeline`.
        tokenizer: As for `JudgedPipeline`.
        pair: Whether an item is a pair; default is what the model says.
        **options: As for `JudgedPipeline`.
    """

    fields = ("text", "pair")

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        pair: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model, tokenizer, **options)
        self.pair = self.declared.pair if pair is None else pair

    def read(self, item: Any, number: int) -> TextRow:
        """Return a row of one or two texts."""
        text, pair = texts_of(item, self.fields, 1, number)
        if (pair is not None) != self.pair:
            wanted = ("one text", "two texts (text, pair)")[self.pair]
            raise DataError(
                f"input {number}: expected {wanted}, as the model was trained (see "
                f"pair=), found {'one' if pair is None else 'two'}"
            )
        return TextRow(number, str(text), pair)


class TextClassification(TextPipeline):
    """Classes: {"label", "score", "probabilities": {label: share}}."""

    task = "text-classification"
    kind = "classification"

    def show(self, row: Any, prediction: Any) -> dict[str, Any]:
        """Add the probability of the label."""
        shown = super().show(row, prediction)
        score = shown["probabilities"][shown["label"]]
        return {"label": shown.pop("label"), "score": score, **shown}


class Regression(TextPipeline):
    """Numbers: {"value"}."""

    task = "regression"
    kind = "regression"


class NamedEntities(JudgedPipeline):
    """Entities: {"entities": [{"start", "end", "type", "text", "score"}]}."""

    task = "ner"
    kind = "tagging"

    def read(self, item: Any, number: int) -> EntityRow:
        """Return a row."""
        (text,) = texts_of(item, self.fields, 1, number)
        return EntityRow(number, str(text))


class QuestionAnswering(JudgedPipeline):
    """Answers in a passage: {"text", "start", "end", "score", "null_score", "n_best"}.

    Where the model finds no answer, or the passage is empty, "text" is "".
    """

    task = "question-answering"
    kind = "span"
    fields = ("question", "context")
    required = 2

    def read(self, item: Any, number: int) -> QuestionRow:
        """Return a row."""
        question, context = texts_of(item, self.fields, 2, number)
        return QuestionRow(str(number), str(question), str(context))

    def show(self, row: Any, prediction: Any) -> dict[str, Any]:
        """Name the probability of the answer as other pipelines do."""
        shown = super().show(row, prediction)
        shown.pop("question", None)
        own = {name: shown.pop(name) for name in ("text", "start", "end")}
        others = list(shown.pop("n_best"))
        return {**own, "score": shown.pop("probability"), **shown, "n_best": others}


class MultipleChoice(JudgedPipeline):
    """Candidates: {"label" (its place), "answer", "probabilities"}.

    An item is (context, question, choices), the choices a list of texts.
    """

    task = "multiple-choice"
    kind = "choice"
    fields = ("context", "question", "choices")
    required = 3

    def read(self, item: Any, number: int) -> ChoiceRow:
        """Return a row."""
        context, question, choices = fields_of(item, self.fields, 3, number)
        if not isinstance(choices, list | tuple) or not choices:
            raise DataError(f"input {number}: choices must be a list of texts")
        return ChoiceRow(
            number,
            text_of(context, "context", number),
            text_of(question, "question", number),
            tuple(text_of(choice, "a choice", number) for choice in choices),
        )


class RelationExtraction(JudgedPipeline):
    """Relations: {"relations": [{"subject", "predicate", "object", "score", ...}]}.

    "subject_span" and "object_span" are their places in the text, [start, end).
    """

    task = "relation-extraction"
    kind = "relation"

    def read(self, item: Any, number: int) -> RelationRow:
        """Return a row."""
        (text,) = texts_of(item, self.fields, 1, number)
        return RelationRow(number, str(text))

    def show(self, row: Any, prediction: Any) -> dict[str, Any]:
        """Return the relations alone."""
        return {"relations": super().show(row, prediction)["spo_list_pred"]}


class TextGeneration(JudgedPipeline):
    """Texts that a model writes: {"text", "score"}, the score a log-probability.

    An item is a text, or a tuple of the texts that the model was trained to read.
    """

    task = "text-generation"
    kind = "generation"
    fields = ("text", "pair")

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        max_length: int | None = None,
        trained: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        trained = trained or {}
        max_length = max_length or trained.get("max_length")
        if max_length is None and isinstance(model, TextGenerator):
            # As long as it can be if the target has to follow.
            known = {**trained.get("options", {}), **options}
            usual = GenerationOptions.max_answer_length
            target = known.get("max_answer_length", usual)
            limit = model.encoder.config.max_positions or LONGEST
            max_length = min(limit, LONGEST) - target
        super().__init__(
            model, tokenizer, max_length=max_length, trained=trained, **options
        )

    def read(self, item: Any, number: int) -> SourceRow:
        """Return a row of one text or more."""
        if isinstance(item, tuple) and item:
            return SourceRow(
                number, tuple(text_of(one, "a text", number) for one in item)
            )
        texts = texts_of(item, self.fields, 1, number)
        return SourceRow(number, tuple(text for text in texts if text is not None))


def kind_of(model: TaskModel) -> str:
    """Return the kind of a model; one class may serve two kinds."""
    return str(model.facts()["kind"])


def task_of(model: TaskModel, trained: Mapping[str, Any]) -> Task:
    """Return the task of a model, which has no files.

    Args:
        model: Says kind, labels, and what its decoding needs.
        trained: From `finetune`: says the other options of the kind.

    Raises:
        ConfigError: There is no such kind.
    """
    said = {**trained.get("options", {}), **model.facts()}
    kind = kind_of(model)
    if kind not in KINDS:
        raise ConfigError(f"no kind of task {kind!r}; there are {', '.join(KINDS)}")
    known = [field.name for field in dataclasses.fields(KINDS[kind].options)]
    return Task(
        name=model.task,
        title="raw text",
        source="",
        kind=kind,
        labels=model.labels,
        format=Format(read=_no_files, names={}),
        pair=model.pair,
        options={name: said[name] for name in known if name in said},
    )


def _no_files(*args: Any, **kwargs: Any) -> Any:
    raise DataError("a pipeline reads no files")


JUDGED: tuple[type[JudgedPipeline], ...] = (
    TextClassification,
    Regression,
    NamedEntities,
    QuestionAnswering,
    MultipleChoice,
    RelationExtraction,
    TextGeneration,
)
