"""What a recipe is: the hyper-parameters of one fine-tuning, each with its source."""

import dataclasses
from typing import NamedTuple

from kerasplm.errors import ConfigError


class Citation(NamedTuple):
    """Say where fields of a recipe are from.

    Args:
        source: Script or table, repository and file.
        fields: Names of fields of `Recipe`.
    """

    source: str
    fields: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hold the hyper-parameters of one fine-tuning, each with its source.

    None means that it does not apply, or that nobody states it.

    Args:
        task: Name of the task.
        model: Name of the model in the catalogue, or None.
        family: Family of the model, or None.
        max_length: Tokens per input, special tokens included.
        batch_size: Examples per update.
        learning_rate: Peak of the schedule; with a `layer_decay`, of the last layers.
        epochs: Passes over the training set.
        warmup: Share of the updates in which the rate rises.
        schedule: "bert" (linear, drops at the end of the warm-up), "electra" (rise
            times fall), "nezha" (linear without a drop), "piecewise" (see
            `schedule_points`) or "constant".
        optimizer: "adamw" or "adam".
        bias_correction: Whether the optimizer corrects the bias of its moments.
        epsilon: Added to the root of the second moment.
        weight_decay: Decoupled decay; not of biases and norms.
        clip_norm: Largest norm of the gradients, or None.
        clip_each: Whether the norm is that of each tensor, not of all together.
        dropout: Dropout before the output layer.
        layer_decay: Factor of the rate from one layer to the one below.
        train_steps: Updates in all, where the source counts them; they fit its data,
            others take `epochs`.
        warmup_steps: Updates of the warm-up, likewise; others take `warmup`.
        schedule_points: Updates and factors of the rate, alternating.
        accumulation: Parts of a batch that are computed one after the other.
        ema: Decay of the moving average of the weights that is evaluated and saved.
        crf_learning_rate: Rate of the transitions of a CRF.
        crf_rate_factor: Rate of the transitions as a multiple of `learning_rate`.
        query_length: Most tokens of a question.
        doc_stride: Tokens from one window of a long text to the next.
        text_length: Most tokens or characters of the text before an answer or title.
        n_best: Starts and ends that decoding combines.
        max_answer_length: Most tokens of an answer or title.
        null_threshold: Above which a question counts as without an answer.
        eval_length: `max_length` in evaluation, if it differs.
        eval_steps: Updates between evaluations.
        save_steps: Updates between checkpoints.
        threshold: Cosine similarity above which two texts mean the same.
        seed: Seed of the published run.
        learning_rates: Rates worth trying.
        batch_sizes: Batches worth trying.
        notes: What to know, one sentence each.
        sources: Where each field is from.

    Example:
        >>> from kerasplm.recipes import recipe_for
        >>> recipe_for("csl", "bert-base-zh.google").batch_size
        4
    """

    task: str
    model: str | None
    family: str | None
    max_length: int
    batch_size: int
    learning_rate: float
    epochs: int
    warmup: float
    schedule: str
    optimizer: str
    bias_correction: bool
    epsilon: float
    weight_decay: float
    clip_norm: float | None
    clip_each: bool
    dropout: float
    layer_decay: float | None = None
    train_steps: int | None = None
    warmup_steps: int | None = None
    schedule_points: tuple[float, ...] = ()
    accumulation: int = 1
    ema: float | None = None
    crf_learning_rate: float | None = None
    crf_rate_factor: float | None = None
    query_length: int | None = None
    doc_stride: int | None = None
    text_length: int | None = None
    n_best: int | None = None
    max_answer_length: int | None = None
    null_threshold: float | None = None
    eval_length: int | None = None
    eval_steps: int | None = None
    save_steps: int | None = None
    threshold: float | None = None
    seed: int | None = None
    learning_rates: tuple[float, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[Citation, ...] = ()

    def source_of(self, field: str) -> str:
        """Return the source of a field.

        Raises:
            ConfigError: No source states the field.
        """
        for source, fields in self.sources:
            if field in fields:
                return source
        raise ConfigError(f"recipe of {self.task!r}: no source states {field!r}")

    def describe(self) -> str:
        """Return all fields that are stated, by source, as text of several lines."""
        lines = [f"{self.task}, {self.model or self.family or 'any model'}"]
        for source, fields in self.sources:
            stated = (f"{name}={getattr(self, name)!r}" for name in fields)
            lines += [f"  {', '.join(stated)}", f"    from {source}"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Recipe)
    if field.name not in ("task", "model", "family", "notes", "sources")
)
"""Fields that a row may state."""
