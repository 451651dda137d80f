"""Published recipes in the words of `Settings` and of the kinds' options."""

from pathlib import Path
from typing import Any, NamedTuple

from kerasplm import recipes
from kerasplm.catalogue import CATALOGUE
from kerasplm.errors import ConfigError, PLMError
from kerasplm.inspection import inspect
from kerasplm.recipes.defaults import CODE_OF, CODES
from kerasplm.recipes.names import OTHER_TASKS, TASKS

# Fields of `recipes.Recipe` that have another name here. What is not among the fields
# of `Settings` or the options of a kind is left out.
_NAMES = {
    "dropout": "head_dropout",
    "text_length": "max_length",
    "query_length": "max_query_length",
    "doc_stride": "stride",
    "crf_rate_factor": "crf_multiplier",
    "crf_learning_rate": "crf_multiplier",
}
# How a published run was seeded and saved is no part of its recipe.
_OF_THE_RUN = ("seed", "save_steps")


class Published(NamedTuple):
    """What is published for a task and a model.

    Args:
        of_task: Stated by a script or table for this task.
        default: What the code of the model's family does if nobody says otherwise.
    """

    of_task: dict[str, Any]
    default: dict[str, Any]


def published(task: str, model: str | None, family: str | None) -> Published:
    """Return the published choices for a task.

    Args:
        task: Name of a task; one of a user's own has the default only.
        model: Name in the catalogue, or None.
        family: Family of the model, or None.
    """
    code, source = CODES[CODE_OF.get(family or "bert", "bert")]
    default = _renamed(dict(code))
    if task not in (*TASKS, *OTHER_TASKS):
        return Published({}, default)
    try:
        recipe = recipes.recipe_for(task, model, family)
    except ConfigError:  # nobody has published one for this model
        if task in TASKS:
            raise
        return Published({}, default)
    stated = {
        field
        for citation in recipe.sources
        if citation.source != source
        for field in citation.fields
    }
    values = {name: getattr(recipe, name) for name in stated}
    if values.get("crf_learning_rate") is not None:
        values["crf_learning_rate"] /= recipe.learning_rate
    return Published(_renamed(values), default)


def sources(
    task: str, model: str | None, family: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return where the published choices are from, by the names that `published` gives.

    Args:
        task: As for `published`.
        model: Likewise.
        family: Likewise.

    Returns:
        Source by name of what is stated for the task, and of what the code does.
    """
    stated, default = published(task, model, family)
    _, code = CODES[CODE_OF.get(family or "bert", "bert")]
    cited: dict[str, str] = {}
    if stated:
        for source, fields in recipes.recipe_for(task, model, family).sources:
            cited |= _renamed(dict.fromkeys(fields, source))
    return (
        {name: cited[name] for name in stated},
        dict.fromkeys(default, code),
    )


def identity(model: str | Path | None, family: str | None) -> tuple[Any, Any]:
    """Return the catalogue name and the family of a model, as far as they are known.

    Args:
        model: As for `load`, or None.
        family: Family, if the user gave it.
    """
    if model is None:
        return None, family
    if str(model) in CATALOGUE and not Path(model).exists():
        return str(model), CATALOGUE[str(model)].family
    try:
        found = inspect(model, family=family)
    except PLMError:  # told when it is loaded; a configuration alone has no weights
        return None, family
    return None, found.match.family.name


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    if "text_length" in fields:  # then the length is that of text and title together
        fields = {name: x for name, x in fields.items() if name != "max_length"}
    return {
        _NAMES.get(name, name): value
        for name, value in fields.items()
        if name not in _OF_THE_RUN
    }
