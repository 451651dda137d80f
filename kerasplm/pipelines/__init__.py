"""Pipelines: raw text in, plain Python objects out."""

import inspect
from pathlib import Path
from typing import Any

import keras

from kerasplm.errors import ConfigError
from kerasplm.pipelines.base import Pipeline
from kerasplm.pipelines.fill_mask import FillMask
from kerasplm.pipelines.judged import JUDGED, JudgedPipeline
from kerasplm.pipelines.loading import (
    load_comparing,
    load_task_model,
    loading_options,
    place_of,
)
from kerasplm.pipelines.similarity import Similarity
from kerasplm.pipelines.vectors import FeatureExtraction, split_line

__all__ = ["PIPELINES", "Pipeline", "pipeline", "split_line", "task_for"]

_ALL: tuple[type[Pipeline], ...] = (*JUDGED, FillMask, Similarity, FeatureExtraction)
PIPELINES = {cls.task: cls for cls in _ALL}
# Which pipeline stands for a kind of task model.
_OF_KIND = {cls.kind: cls.task for cls in JUDGED} | {"embedding": Similarity.task}


def pipeline(
    task: str,
    model: str | Path | keras.Model,
    tokenizer: Any = None,
    **options: Any,
) -> Any:
    """Return a function of raw text that answers in plain Python objects.

    It takes one item, a list of items, or any other iterable of them, and gives one
    dictionary, a list of them, or an iterator that reads a little ahead. An item is a
    str, or a tuple or dictionary of its fields. Answers come in the order of the items
    and are values for JSON; places are characters of the original text, so that
    `text[start:end]` is what was found. Texts of similar length run together, one
    graph serves all lengths, and several threads may call at once.

    Tasks, their items and answers:
        "text-classification": text or (text, pair); {"label", "score",
            "probabilities": {label: share}}
        "regression": text or (text, pair); {"value"}
        "ner": text; {"entities": [{"start", "end", "type", "text", "score"}]}
        "question-answering": (question, context); {"text", "start", "end", "score",
            "null_score", "n_best"}
        "multiple-choice": (context, question, choices); {"label", "answer",
            "probabilities"}
        "relation-extraction": text; {"relations": [{"subject", "predicate", "object",
            "subject_span", "object_span", "score"}]}
        "text-generation": text, or a tuple of texts; {"text", "score"}
        "fill-mask": text with [MASK]; {"text", "masks": [{"start", "end",
            "candidates": [{"token", "score", "text"}]}]}
        "similarity": (text, pair); {"score"}; or two lists, all scores
        "feature-extraction": text or (text, pair); {"vector"}

    Args:
        task: Which.
        model: As for `load`; a folder that `finetune` wrote; or a Keras model.
        tokenizer: From `load_tokenizer`; has to be given with a Keras model.
        **options: `batch_size` (sequences that run at once, 32), `max_length` (tokens
            per sequence; as trained, else as many as the model takes, 512 at most);
            choices of the pipeline (`top_k` and `targets` of "fill-mask"; `pooling`
            and `layers` of "feature-extraction" and "similarity"; those of its kind,
            such as thresholds, of a task); `precision` ("bfloat16": faster where the
            processor has it, a little less exact), `family`, `part`, `config` and
            fields of `Config`, as for `load`.

    Returns:
        A `Pipeline`.

    Raises:
        ConfigError: There is no such pipeline or option, or the model is for another
            one.
        DataError: When it is called: an item is not what the pipeline takes.
        PLMError: As for `load` and `load_tokenizer`.

    Example:
        >>> classify = pipeline("text-classification", "out")   # doctest: +SKIP
        >>> classify("房间很干净")["label"]                      # doctest: +SKIP
        '1'
        >>> guess = pipeline("fill-mask", "bert-base-zh.google", top_k=3)
        ... # doctest: +SKIP
        >>> guess("今天天气很[MASK]。")["text"]                  # doctest: +SKIP
        '今天天气很好。'
    """
    if task not in PIPELINES:
        raise ConfigError(f"no pipeline {task!r}; there are {', '.join(PIPELINES)}")
    cls = PIPELINES[task]
    loading = {name: options.pop(name) for name in loading_options(options)}
    if isinstance(model, keras.Model):
        if loading:
            raise ConfigError(
                f"{', '.join(loading)}: a model that is loaded already takes no such "
                "option"
            )
        if tokenizer is None:
            raise ConfigError("a Keras model needs its tokenizer: pass tokenizer=")
    else:
        place = place_of(model, **loading)
        if issubclass(cls, JudgedPipeline):
            model = load_task_model(place, cls.kind, task, _OF_KIND)
            options = {"trained": place.trained, **options}
        elif cls is FillMask:
            model = place.load("pretraining")
        elif cls is Similarity:
            model = load_comparing(place)
            if getattr(model, "kind", None) == "classification":
                options = {"trained": place.trained, **options}
                if place.kind is None and not place.single:
                    # The original code does not tell; it is asked to compare.
                    options.setdefault("pair", True)
        else:
            model = place.load("task" if place.kind == "embedding" else None)
        tokenizer = place.tokenizer() if tokenizer is None else tokenizer
    _check_options(cls, options)
    return cls(model, tokenizer, **options)


def task_for(model: str | Path, **loading: Any) -> str:
    """Return the pipeline for which a model was trained.

    Args:
        model: As for `pipeline`.
        **loading: As for `load`.

    Raises:
        ConfigError: Nothing beside the model tells.

    Example:
        >>> task_for("out")  # doctest: +SKIP
        'text-classification'
    """
    place = place_of(model, **loading)
    if place.kind in _OF_KIND:
        return _OF_KIND[place.kind]
    raise ConfigError(
        f"{model}: nothing beside the model tells its task. Name the pipeline: one of "
        f"{', '.join(PIPELINES)}"
    )


def _check_options(cls: type[Pipeline], options: dict[str, Any]) -> None:
    """Refuse an option that a pipeline does not have; a kind refuses its own."""
    known = set(inspect.signature(cls.__init__).parameters) - {"self"}
    if "options" in known:
        return
    unknown = [name for name in options if name not in known]
    if unknown:
        names = ", ".join(sorted(known - {"model", "tokenizer"}))
        raise ConfigError(
            f"{', '.join(unknown)}: no such option for {cls.task!r}; there are {names}"
        )
