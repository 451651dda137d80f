"""Models of the fine-tuning tasks, by their kind."""

from collections.abc import Mapping
from typing import Any

import keras

from kerasplm.errors import ConfigError
from kerasplm.task_models.base import TaskModel
from kerasplm.task_models.choice import MultipleChoice
from kerasplm.task_models.classification import Classifier
from kerasplm.task_models.embedding import SentenceEncoder
from kerasplm.task_models.generation import TextGenerator
from kerasplm.task_models.relation import RelationExtractor
from kerasplm.task_models.span import SpanExtractor
from kerasplm.task_models.tagging import EntityTagger

__all__ = [
    "MODELS",
    "Classifier",
    "EntityTagger",
    "MultipleChoice",
    "RelationExtractor",
    "SentenceEncoder",
    "SpanExtractor",
    "TaskModel",
    "TextGenerator",
    "model_from_facts",
]

MODELS: dict[str, type[TaskModel]] = {
    "classification": Classifier,
    "regression": Classifier,
    "span": SpanExtractor,
    "choice": MultipleChoice,
    "tagging": EntityTagger,
    "relation": RelationExtractor,
    "embedding": SentenceEncoder,
    "generation": TextGenerator,
}


def model_from_facts(encoder: keras.Model, facts: Mapping[str, Any]) -> TaskModel:
    """Build the task model that `TaskModel.facts` describes.

    Args:
        encoder: The encoder; for "generation" also a `Seq2Seq`.
        facts: Kind and constructor arguments, from a configuration JSON of ours.

    Raises:
        ConfigError: The kind is unknown, or the arguments do not fit it.
    """
    options = dict(facts)
    kind = options.pop("kind", "classification")
    if kind not in MODELS:
        raise ConfigError(
            f"no kind of task model {kind!r}; there are {', '.join(MODELS)}"
        )
    try:
        return MODELS[kind](encoder, options.pop("labels"), **options)
    except (TypeError, KeyError) as error:
        raise ConfigError(
            f"a model of kind {kind!r} cannot be built: {error}"
        ) from error
