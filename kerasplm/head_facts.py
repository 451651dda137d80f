"""Which task model stands on a checkpoint: its kind and constructor arguments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.checkpoint import Weights
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Match
from kerasplm.published import own_block

JsonFiles = Mapping[Path, Mapping[str, Any]]
# Kinds whose head is one dense layer, of which the bias tells the number of labels.
_DENSE = ("classification", "regression", "tagging", "choice")
_HEADS = dict.fromkeys(_DENSE, "classifier") | {"span": "span"}
# Kinds whose head has no weights of its own: every checkpoint holds it.
_WEIGHTLESS = ("embedding",)


def kind_of(data: JsonFiles, heads: Sequence[str]) -> str | None:
    """Return the kind of the task model that a checkpoint holds, if it holds one.

    Args:
        data: The configurations beside it; one of ours says it.
        heads: The heads whose weights are in it. One dense layer is taken for a
            classifier; a tagger of the original code has the same variables.
    """
    own = [own_block(values).get("head", {}) for values in data.values()]
    kinds = {str(facts["kind"]) for facts in own if "kind" in facts}
    if len(kinds) == 1:
        return kinds.pop()
    if "span" in heads:
        return "span"
    return "classification" if "classifier" in heads else None


def head_facts(
    kind: str, found: Match, reader: Weights, data: JsonFiles, where: str
) -> dict[str, Any] | None:
    """Return what `model_from_facts` takes.

    A configuration of ours says it. Of a checkpoint that the original code trained,
    the weights tell it.

    Args:
        kind: Key in `MODELS`, or "task" for whatever the configuration says.
        found: The family and its view of the variables.
        reader: The checkpoint.
        data: The configurations beside it.
        where: The checkpoint, for messages.

    Returns:
        Kind and arguments; None if the checkpoint holds no such head.

    Raises:
        CheckpointError: It holds the heads of several tasks, or half a head.
        ConfigError: The configuration is of another kind.
    """
    own = [own_block(values).get("head", {}) for values in data.values()]
    own = [facts for facts in own if "kind" in facts]
    if kind == "task":
        kinds = {facts["kind"] for facts in own}
        if len(kinds) != 1:
            raise ConfigError(
                f"{where}: no configuration of ours beside it says which task model "
                "it holds. Pass heads='classification' or another kind"
            )
        kind = kinds.pop()
    own = [facts for facts in own if facts["kind"] == kind]
    if own:
        tasks = found.tasks.get(_HEADS.get(kind, ""), ())
        return own[0] | ({"task": tasks[0]} if len(tasks) == 1 else {})
    if kind == "span":
        return _span(found, reader, where)
    writes = kind == "generation" and _writes(found)
    if kind in _WEIGHTLESS or writes:
        return {"kind": kind, "labels": []}
    return _dense(kind, found, reader, data, where) if kind in _DENSE else None


def _writes(found: Match) -> bool:
    """Whether a checkpoint scores words: by an MLM head, or as a whole."""
    return any(path.startswith(("mlm/", "seq2seq/")) for path in found.names)


def _task(head: str, found: Match, where: str) -> dict[str, str]:
    """Return the name of the task, where the checkpoint stores the head under it."""
    tasks = found.tasks.get(head, ())
    if len(tasks) > 1:
        raise CheckpointError(
            f"{where}: expected the {head} of one task, found those of "
            f"{', '.join(tasks)}"
        )
    return {"task": tasks[0]} if tasks else {}


def _span(found: Match, reader: Weights, where: str) -> dict[str, Any] | None:
    """Read from the weights how the head for answers in passages is made."""
    names = {path.split("/")[1] for path in found.names if path.startswith("span/")}
    if not names:
        return None
    facts: dict[str, Any] = {"kind": "span", "labels": []} | _task("span", found, where)
    if "logits" in names:
        return facts | dict(found.family.span)
    if "end_norm" in names:
        return facts | {"head": "albert"}
    judges = {"answerable_hidden": "start", "answerable_first": "first"}
    options: dict[str, Any] = {
        "joint": "end_hidden" in names,
        "answerable": next((judges[n] for n in judges if n in names), "none"),
    }
    for hidden in names & {"end_hidden", "answerable_hidden"}:
        bias = found.names[f"span/{hidden}/bias"]
        options["units"] = reader.shapes[bias][0]
    return facts | dict(found.family.span) | {"options": options}


def _dense(
    kind: str,
    found: Match,
    reader: Weights,
    data: JsonFiles,
    where: str,
) -> dict[str, Any] | None:
    """Read from the weights how many labels a dense head has."""
    if not any(path.startswith("classifier/") for path in found.names):
        return None
    task = _task("classifier", found, where)
    bias = found.names.get("classifier/logits/bias")
    if bias is None:
        raise CheckpointError(f"{where}: the classifier has no bias (output_bias)")
    count = reader.shapes[bias][0]
    names = [str(n) for n in range(count)]
    for values in data.values():
        named = values.get("id2label")
        if isinstance(named, dict) and set(named) == set(names):
            names = [str(named[name]) for name in names]
    if kind == "tagging":
        return {"kind": kind, "labels": [], "tags": names} | task
    facts = {"kind": kind, **found.family.classifier} | task
    if kind != "choice":
        return facts | {"labels": names}
    if count != 1:
        raise CheckpointError(
            f"{where}: expected one output for each choice, found {count}"
        )
    return facts | {"labels": []}
