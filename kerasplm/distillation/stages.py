"""What is trained in each stage of a distillation on a task."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasplm.distillation.batches import one_dictionary
from kerasplm.distillation.choices import Choices
from kerasplm.distillation.known import with_known_answers
from kerasplm.distillation.model import Distillation
from kerasplm.distillation.theseus import Theseus
from kerasplm.families import family_named
from kerasplm.lessons import Lesson, Teach
from kerasplm.optimization import AdamW
from kerasplm.pretraining.terms import Term
from kerasplm.recognition import opened
from kerasplm.saving import known_family
from kerasplm.task_models import Classifier, TaskModel, model_from_facts
from kerasplm.tasks import Settings
from kerasplm.tasks.features import Features
from kerasplm.tasks.graphs import Graph, each
from kerasplm.zoo import load

_log = logging.getLogger("kerasplm")

CLOSENESS = "closeness"
"""Minus the loss of the layers on the development set: the best weights maximise it."""


def intermediate(teacher: TaskModel, choices: Choices, student: str | Path) -> Teach:
    """Return what teaches the inside of the layers.

    Args:
        teacher: The trained model of the task.
        choices: The choices.
        student: Where the student begins; a projection that lies there is taken too.
    """

    def teach(
        network: TaskModel,
        features: Mapping[str, Features],
        optimizer: Any,
        settings: Settings,
    ) -> Lesson:
        network = as_original(network)
        model = Distillation(teacher, network, **choices.of_layers())
        held = getattr(network.encoder, "load_report", None)
        if held is not None and "fit_dense" in held.heads:
            take_projection(model, student, held.family)
        return Lesson(
            network,
            compiled(model, optimizer),
            features["train"],
            batches=_as_dictionaries,
            evaluate=lambda: measured(model, features["dev"], settings.batch_size),
            metric=CLOSENESS,
        )

    return teach


def prediction(
    teacher: TaskModel,
    choices: Choices,
    *,
    cache: Path | None = None,
    digest: str = "",
) -> Teach:
    """Return what teaches the answers.

    Args:
        teacher: The trained model of the task.
        choices: The choices.
        cache: Folder in which the teacher's answers are kept; None asks it anew in
            every epoch.
        digest: Of the teacher.
    """

    def teach(
        network: TaskModel,
        features: Mapping[str, Features],
        optimizer: Any,
        settings: Settings,
    ) -> Lesson:
        network = as_original(network)
        model = Distillation(teacher, network, **choices.of_answers(network))
        train = features["train"]
        if cache is not None and "prediction" in model.losses_of:
            size = settings.batch_size
            train = with_known_answers(train, teacher, size, cache, digest)
        return Lesson(
            network, compiled(model, optimizer), train, batches=_as_dictionaries
        )

    return teach


def replacing(teacher: TaskModel, schedule: Callable[[int], Any]) -> Teach:
    """Return what teaches by replacing layers of the teacher (BERT-of-Theseus).

    Args:
        teacher: The predecessor.
        schedule: Makes of the number of updates what `Theseus` takes as `replace`.
    """

    def teach(
        network: TaskModel,
        features: Mapping[str, Features],
        optimizer: Any,
        settings: Settings,
    ) -> Lesson:
        train = features["train"]
        total = -(-len(train) // settings.batch_size) * settings.epochs
        network = model_from_facts(network.encoder, teacher.facts())
        model = Theseus(teacher, network, replace=schedule(total), seed=settings.seed)
        model.compile(optimizer=optimizer, jit_compile=False)
        return Lesson(network, model, train, batches=_as_dictionaries)

    return teach


def continued(folder: str | Path) -> Teach:
    """Return what fine-tunes a task model from its own head on.

    Args:
        folder: Where the whole model lies.
    """

    def teach(
        network: TaskModel, features: Mapping[str, Features], optimizer: Any, _: Any
    ) -> Lesson:
        trained: Any = load(folder, heads="task")
        network = model_from_facts(network.encoder, trained.facts())
        for name, layer in trained.parts().items():
            network.parts()[name].set_weights(layer.get_weights())
        network.compile(optimizer=optimizer, jit_compile=False)
        return Lesson(network, network, features["train"])

    return teach


def as_original(network: TaskModel) -> TaskModel:
    """Return the model with the head of its family's code (TinyBERT: ReLU)."""
    name = known_family(network.encoder)
    facts = family_named(name).classifier if name else {}
    if not facts or not isinstance(network, Classifier):
        return network
    return model_from_facts(network.encoder, network.facts() | dict(facts))


def take_projection(model: Distillation, folder: str | Path, family: str) -> bool:
    """Fill the shared projection from the student's files; tell whether it fitted."""
    shared = None if model.projection is None else model.projection.shared
    if shared is None:
        return False
    with opened(folder, None, family) as it:
        reader, found = it.read(heads=None)
        names = [found.names[f"fit_dense/{w}"] for w in ("kernel", "bias")]
        shapes = [tuple(reader.shapes[name]) for name in names]
        if shapes != [tuple(w.shape) for w in shared.weights]:
            _log.warning(
                "%s: fit_dense is for another teacher; begun at random", folder
            )
            return False
        shared.set_weights([np.asarray(reader.read(name)) for name in names])
    return True


def compiled(model: keras.Model, optimizer: Any) -> keras.Model:
    """Compile a model with the optimizer, clipping every gradient alone as BertAdam.

    Source: huawei-noah/Pretrained-Language-Model TinyBERT, optimization.py.
    """
    config = optimizer.get_config()
    config |= {"clipnorm": config["global_clipnorm"], "global_clipnorm": None}
    # The length of batches varies: XLA would compile again for each.
    model.compile(optimizer=AdamW.from_config(config), jit_compile=False)
    return model


def _as_dictionaries(data: Any) -> Any:
    return data.map(one_dictionary)


def measured(
    model: Distillation, features: Features, batch_size: int
) -> dict[str, float]:
    """Return the losses of a distillation on features, without dropout.

    Args:
        model: The model.
        features: With targets.
        batch_size: Of the evaluation.

    Returns:
        "loss" and each loss alone; `CLOSENESS`.
    """

    def outcome(inputs: Any, targets: Any) -> Any:
        terms, _ = model.outcome(one_dictionary(inputs, targets), training=False)
        return {name: (term.total, term.count) for name, term in terms.items()}

    graph = Graph(outcome)
    sums: dict[str, np.ndarray] = {}

    def ask(chosen: np.ndarray) -> Any:
        return graph([*features.signature], *features.repeatable(chosen))

    for _, found in each(features, batch_size, ask):
        for name, pair in found.items():
            values = np.array([float(x) for x in pair])
            sums[name] = sums.get(name, np.zeros(2)) + values
    terms = {
        name: Term(total, count, 0.0, model.losses_of[name])
        for name, (total, count) in sums.items()
    }
    loss = sum(float(term.value) for term in terms.values())
    alone = {f"{n}_loss": float(t.total / t.count) for n, t in terms.items()}
    return {"loss": loss, **alone, CLOSENESS: -loss}
