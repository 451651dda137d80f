"""What a family is: a table of checkpoint names and a few facts. Pure data.

A table maps our weight paths to the names in the original checkpoints. Both sides
are templates with placeholders of a closed set, so one table serves reading,
writing and recognising a checkpoint.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

TRANSPOSE = "transpose"
"""Mark of a weight that the checkpoint stores as [out, in]."""

VOCABULARY_AXES = {
    "encoder/embeddings/word": 0,
    "mlm/bias": 0,
    "seq2seq/embedding/embeddings": 0,
    "seq2seq/output/kernel": 1,
}
"""Our weights with one slice per token, and the axis of the slices."""

Entry = str | tuple[str, str]
Table = Mapping[str, Entry]

_PLACEHOLDERS = {
    "i": r"\d+",  # layer
    "i:03d": r"\d{3,}",  # layer, as T5 writes it
    "g": r"\d+",  # ALBERT group
    "j": r"\d+",  # block inside the group
    "qkv": "query|key|value",
    "w": "kernel|bias",
    "n": "gamma|beta",
    "task": "[^/]+",  # ELECTRA's name of a fine-tuning task
    "rest": ".+",
}

# Heads that no original code has, such as a CRF: our own names, in every family.
_OWN_HEADS = (("task/{rest}", "kerasplm/{rest}"),)

# Variables that training leaves in a checkpoint and no model needs.
SLOTS = re.compile(
    r"(.*/)?(adam_[mv]|lamb_[mv]|Adam|Adam_1|Momentum|shadow|ExponentialMovingAverage"
    r"|global_step|(adam_)?beta[12]_power|loss_scale.*|good_steps|bad_steps"
    r"|current_loss_scale|num_good_steps|save_counter|[^/]+_slot_(v[rc]?|m)"
    r"|optimizer/.+|keras_api/metrics/.+)(_\d+)?"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """Describe one family of published checkpoints.

    Args:
        name: What users pass as `family=`.
        title: The models it stands for.
        source: Repository and file whose behaviour is reproduced.
        paper: arXiv id.
        weights: Our weight paths to checkpoint names, both templates.
        heads: Tables of the heads that have a scope of their own in the checkpoint,
            named after a `{task}`. Layers of two such heads may have the same name: a
            scope holds the head of which it has all layers and no others.
        required: Our templates of which the checkpoint must hold at least one
            variable each.
        gelu: What "gelu" in the configuration JSON means.
        fixed: Config fields that hold for the family whatever the JSON says.
        network: The class of the model, a key of `kerasplm.networks.NETWORKS`.
        part: "discriminator" or "generator" where a checkpoint holds two
            networks, "both" where one network is both, else "".
        other: Regular expressions of variables of the other part or of heads for
            other tasks: known, reported, not read.
        config_hint: Key of the configuration JSON that only this family sets. The
            three hints decide where variables cannot, in this order.
        path_hint: Regular expression that is found in the folder or file name of
            the family's releases.
        vocab_hint: What its vocabulary shows: "words" (tokens of several Chinese
            characters), "no_mask" ([MASK] is missing), "" nothing.
        hint_only: Whether the family is considered only when a hint speaks for
            it, because another one has the same variables.
        config_file: Name under which `save_checkpoint` writes the configuration.
        tokenizer: Rules for control characters: "bert" or "electra".
        max_word_chars: Longer words become [UNK].
        head_size: If the original code derives the number of heads from the hidden
            size, the width of one head.
        lowercase: Whether the original tokenizer folds case by default.
        ask: Config fields to ask for where no JSON gives them, because the family's
            releases differ.
        classifier: Arguments of `Classifier` with which the original code builds its
            classifier, where they are not the defaults.
        span: Arguments of `SpanExtractor`, likewise.
    """

    name: str
    title: str
    source: str
    paper: str
    weights: Table
    required: tuple[str, ...]
    heads: tuple[Mapping[str, str], ...] = ()
    gelu: Literal["gelu_tanh", "gelu_erf"] = "gelu_tanh"
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    network: Literal["encoder", "seq2seq"] = "encoder"
    part: Literal["", "discriminator", "generator", "both"] = ""
    other: tuple[str, ...] = ()
    config_hint: str = ""
    path_hint: str = ""
    vocab_hint: Literal["", "words", "no_mask"] = ""
    hint_only: bool = False
    config_file: str = "bert_config.json"
    tokenizer: Literal["bert", "electra"] = "bert"
    max_word_chars: int = 200
    head_size: int | None = None
    lowercase: bool = True
    ask: tuple[str, ...] = ()
    classifier: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    span: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def ours(self, theirs: str) -> tuple[str, dict[str, str]] | None:
        """Return our path of a checkpoint name and its placeholders, or None."""
        for rule in _rules((*self.weights.items(), *_OWN_HEADS)):
            found = rule.theirs.fullmatch(theirs)
            if found:
                fields = found.groupdict()
                return rule.our_template.format(**_numbers(fields)), fields
        return None

    def theirs(self, ours: str, task: str = "classification") -> tuple[str, bool]:
        """Return the checkpoint name of our path and whether to transpose.

        Raises:
            KeyError: The family's table has no such weight.
        """
        tables = (item for table in self.heads for item in table.items())
        for rule in _rules((*self.weights.items(), *tables, *_OWN_HEADS)):
            found = rule.ours.fullmatch(ours)
            if found:
                fields = {"task": task, **_numbers(found.groupdict())}
                return rule.their_template.format(**fields), rule.transpose
        raise KeyError(ours)

    def scoped(self, variables: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return our path and the task of each variable that `heads` explain.

        Args:
            variables: Names in the checkpoint.
        """
        if not self.heads:
            return {}
        scope = next(iter(self.heads[0].values())).split("{task}")[0]
        scopes: dict[str, set[str]] = {}
        for name in variables:
            if name.startswith(scope):
                task = name.removeprefix(scope).split("/")[0]
                scopes.setdefault(task, set()).add(name)
        found: dict[str, tuple[str, str]] = {}
        for task, names in scopes.items():
            for table in self.heads:
                wanted = {
                    theirs.format(task=task, w=w): (ours.format(w=w), task)
                    for ours, theirs in table.items()
                    for w in ("kernel", "bias")
                }
                if wanted.keys() == names:
                    found |= wanted
        return found

    def is_other(self, theirs: str) -> bool:
        """Whether the variable is known to belong to something else."""
        return any(re.fullmatch(pattern, theirs) for pattern in self.other)


@dataclasses.dataclass(frozen=True)
class _Rule:
    our_template: str
    their_template: str
    ours: re.Pattern[str]
    theirs: re.Pattern[str]
    transpose: bool


@functools.lru_cache(maxsize=64)
def _rules(items: tuple[tuple[str, Entry], ...]) -> tuple[_Rule, ...]:
    rules = []
    for ours, entry in items:
        theirs, transform = (entry, "") if isinstance(entry, str) else entry
        rules.append(
            _Rule(ours, theirs, _regex(ours), _regex(theirs), transform == TRANSPOSE)
        )
    return tuple(rules)


def _numbers(fields: Mapping[str, str]) -> dict[str, str | int]:
    """Return the numbers among the placeholders as such, to be formatted."""
    return {k: int(v) if k in ("i", "g", "j") else v for k, v in fields.items()}


def _regex(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{([\w:]+)\}", template)
    pattern = ""
    for n, part in enumerate(parts):
        name = part.split(":")[0]
        pattern += f"(?P<{name}>{_PLACEHOLDERS[part]})" if n % 2 else re.escape(part)
    return re.compile(pattern)


def rescope(table: Table, rules: Iterable[tuple[str, str]]) -> dict[str, Entry]:
    """Return the table with the beginning of the checkpoint names replaced.

    Args:
        table: Our paths to checkpoint names.
        rules: (old beginning, new beginning); the first that fits is applied.
    """

    def move(name: str) -> str:
        for old, new in rules:
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name

    return {
        ours: move(entry) if isinstance(entry, str) else (move(entry[0]), entry[1])
        for ours, entry in table.items()
    }
