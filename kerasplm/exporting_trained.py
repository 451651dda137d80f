"""The SavedModel of a fine-tuned model: it answers texts as it was trained to."""

import dataclasses
from pathlib import Path
from typing import Any

from kerasplm.exporting import export
from kerasplm.generation.exporting import CHOICES, export_generator
from kerasplm.task_models import Classifier, TaskModel, TextGenerator
from kerasplm.tasks import Settings


def export_trained(
    model: TaskModel, tokenizer: Any, folder: str | Path, settings: Settings
) -> bool:
    """Write the SavedModel of a fine-tuned model, where its answers fit into one.

    A `Classifier` gives labels or values, see `export`; a `TextGenerator` that reads
    one text writes another one with the decoding of its task, see `export_generator`.
    What reads several texts, copies parts of its source or writes several parts does so
    in Python, as other kinds find their answers.

    Args:
        model: The model.
        tokenizer: The in-graph tokenizer from `load_tokenizer`.
        folder: As for `export`.
        settings: Of the training.

    Returns:
        Whether there is a SavedModel for this model.

    Raises:
        PLMError: As for `export` and `export_generator`.

    Example:
        >>> export_trained(model, tokenizer, "saved_model", settings)  # doctest: +SKIP
        True
    """
    if isinstance(model, Classifier):
        export(model, tokenizer, folder)
        return True
    options: Any = settings.options
    if not isinstance(model, TextGenerator) or model.pair:
        return False
    if options.extract or options.parts > 1:
        return False
    decoding = dataclasses.asdict(options.decoding(tokenizer.sep_id))
    export_generator(
        model.network,
        tokenizer,
        folder,
        max_source_length=settings.max_length,
        **{name: decoding[name] for name in CHOICES},
    )
    return True
