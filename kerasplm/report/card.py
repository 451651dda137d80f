"""The model card: what a model is, how it was made, how good it is, how to use it."""

from collections.abc import Mapping
from typing import Any

from kerasplm.catalogue import CATALOGUE, Entry, HuggingFace
from kerasplm.report.document import (
    Block,
    Code,
    Heading,
    Table,
    Text,
    markdown,
    quoted,
)
from kerasplm.report.plain import COUNTS, best_and_mean, percent
from kerasplm.report.runs import published_score

# Kind of task: tag of the Hugging Face hub, pipeline of ours, what it is called with.
_KINDS = {
    "classification": ("text-classification", "text-classification", '"文本"'),
    "regression": ("text-classification", "regression", '("文本", "文本")'),
    "tagging": ("token-classification", "ner", '"文本"'),
    "span": ("question-answering", "question-answering", '("问题", "文章")'),
    "choice": ("multiple-choice", "multiple-choice", '("文章", "问题", ["甲", "乙"])'),
    "relation": ("token-classification", "relation-extraction", '"文本"'),
    "embedding": ("sentence-similarity", "similarity", '("文本", "文本")'),
    "generation": ("text-generation", "text-generation", '"文本"'),
}
_NOT_STATED = "not stated"
# What the hub calls the licences of the catalogue.
_LICENCES = {"Apache-2.0": "apache-2.0", _NOT_STATED: "unknown"}
_LIMITS = (
    "The scores hold for the data named above; other texts (domain, length, style, "
    "traditional characters) may give worse ones.",
    "A model repeats the errors and prejudices of its training data.",
    "The best weights were chosen on the development set, so that its score is a "
    "little too high.",
)


def model_card(facts: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Return the card of a model, as Markdown with the front matter of the hub.

    Args:
        facts: From `kerasplm.report.outputs.run_facts`.
        results: What `results.json` says: `scores` by split and the versions.

    Returns:
        The text of README.md.

    Example:
        >>> model_card(facts, results).startswith("---")  # doctest: +SKIP
        True

    Source:
        huggingface/hub-docs, modelcard.md (front matter, model-index).
    """
    entry = CATALOGUE.get(facts["model"]["catalogue"] or "")
    blocks = [
        Heading(_title(facts), 1),
        *_about(facts, entry),
        *_scores(facts, results),
        *_usage(facts),
        *_data(facts),
        *_settings(facts),
        *_limits(facts),
        Heading("Versions"),
        Text(
            ", ".join(
                f"{name} {results[name]}"
                for name in ("kerasplm", "keras", "tensorflow")
                if name in results
            )
        ),
    ]
    return f"{_front_matter(facts, results, entry)}\n{markdown(blocks)}"


def _title(facts: Mapping[str, Any]) -> str:
    return f"{facts['model']['name']} fine-tuned on {facts['task']['name']}"


def _front_matter(
    facts: Mapping[str, Any], results: Mapping[str, Any], entry: Entry | None
) -> str:
    """Return the lines that the hub reads; strings are quoted as in JSON."""
    task = facts["task"]
    tag, _, _ = _KINDS.get(task["kind"], ("", "", ""))
    licence = _licence(entry)
    lines = ["language: zh", "library_name: keras"]
    lines += [f"license: {_LICENCES.get(licence, 'other')}"]
    if licence not in _LICENCES:
        lines += [f"license_name: {quoted(licence)}"]
    lines += [f"pipeline_tag: {tag}"] if tag else []
    repositories = [
        source.repo
        for source in (entry.sources if entry else ())
        if isinstance(source, HuggingFace) and not source.part
    ]
    lines += [f"base_model: {quoted(repositories[0])}"] if repositories else []
    tags = ("kerasplm", facts["model"]["family"], task["kind"])
    lines += ["tags:", *(f"- {quoted(name)}" for name in tags)]
    lines += ["metrics:", f"- {quoted(task['metric'])}"]
    lines += ["model-index:", f"- name: {quoted(_title(facts))}", "  results:"]
    for split, scores in results["scores"].items():
        lines += [
            "  - task:",
            f"      type: {quoted(tag or task['kind'])}",
            "    dataset:",
            f"      name: {quoted(task['name'])}",
            f"      type: {quoted(task['name'])}",
            f"      split: {quoted(split)}",
            "    metrics:",
        ]
        for name, value in scores.items():
            if name not in COUNTS:
                lines += [
                    f"    - type: {quoted(name)}",
                    f"      value: {value:.6f}",
                ]
    return "\n".join(["---", *lines, "---", ""])


def _licence(entry: Entry | None) -> str:
    return entry.licence if entry else _NOT_STATED


def _about(facts: Mapping[str, Any], entry: Entry | None) -> list[Block]:
    model, task = facts["model"], facts["task"]
    base = f"{model['name']} ({entry.title})" if entry else model["name"]
    labels = task["labels"]
    rows = [
        ("base model", base),
        ("family", model["family"]),
        (
            "parameters",
            f"{model['parameters']:,}, of the encoder {model['encoder_parameters']:,}",
        ),
        ("task", f"{task['name']}: {task['title']}"),
        ("kind", task["kind"]),
        ("source of format and task", task["source"]),
        ("licence of the base model", _licence(entry)),
    ]
    if labels:
        rows.append((f"labels ({len(labels)})", ", ".join(labels)))
    if entry and entry.paper:
        rows.append(("paper of the base model", entry.paper))
    return [Table(("", ""), rows)]


def _scores(facts: Mapping[str, Any], results: Mapping[str, Any]) -> list[Block]:
    rows = []
    for split, scores in results["scores"].items():
        for name, value in scores.items():
            if name in COUNTS:
                rows.append((split, name, f"{value:.5g}", "", ""))
                continue
            catalogue = facts["model"]["catalogue"] or ""
            score = published_score(facts["task"]["name"], catalogue, split, name)
            theirs = best_and_mean(score.best, score.mean) if score else ""
            about = f"{score.source} {score.protocol}".strip() if score else ""
            rows.append((split, name, percent(value), theirs, about))
    columns = ("split", "score", "this model", "published: best (mean)", "source")
    return [
        Heading("Scores"),
        Text("In percent, but for loss and number of examples."),
        Table(columns, rows),
    ]


def _usage(facts: Mapping[str, Any]) -> list[Block]:
    _, name, item = _KINDS.get(facts["task"]["kind"], ("", "", ""))
    lines = ["import kerasplm", ""]
    if name:
        lines += [
            f'predict = kerasplm.pipeline("{name}", "FOLDER")',
            f"print(predict({item}))",
            "",
        ]
    lines += [
        'model = kerasplm.load("FOLDER", heads="task")',
        'tokenizer = kerasplm.load_tokenizer("FOLDER")',
    ]
    return [
        Heading("Use"),
        Text("FOLDER is the folder of this file."),
        Code("\n".join(lines)),
    ]


def _data(facts: Mapping[str, Any]) -> list[Block]:
    rows = [
        (
            split,
            file["name"],
            told["rows"] if n == 0 else "",
            file["sha256"],
            _counts(told["dropped"]) if n == 0 else "",
            _counts(told["repaired"]) if n == 0 else "",
        )
        for split, told in facts["data"].items()
        for n, file in enumerate(told["files"])
    ]
    columns = ("split", "file", "rows", "sha256", "left out", "repaired")
    return [Heading("Data"), Table(columns, rows)]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {n}" for reason, n in counts.items()) or "none"


def _settings(facts: Mapping[str, Any]) -> list[Block]:
    rows = [
        (name, "none" if told["value"] is None else told["value"], told["source"])
        for name, told in facts["settings"].items()
        if told["value"] is not None or "chosen" in told["source"]
    ]
    return [Heading("Settings"), Table(("setting", "value", "from"), rows)]


def _limits(facts: Mapping[str, Any]) -> list[Block]:
    told = facts["settings"].get("max_length", {}).get("value")
    length = f"Inputs have at most {told} tokens in training; longer ones are cut."
    rows = [(text,) for text in ([length] if told else []) + list(_LIMITS)]
    return [Heading("Limits"), *(Text(text) for (text,) in rows)]
