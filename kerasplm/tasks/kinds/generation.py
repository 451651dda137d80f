"""Texts to write: titles, answers, rewritten utterances."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, DataError
from kerasplm.evaluation.cmrc import cmrc_em, cmrc_f1
from kerasplm.evaluation.generation import text_scores
from kerasplm.files import write_json_lines, write_text
from kerasplm.generation.settings import Decoding
from kerasplm.heads import PretrainedModel
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.task_models import TaskModel, TextGenerator
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.kinds.base import Kind, Options, Scores
from kerasplm.tasks.kinds.generation_targets import TextTargets, first_features
from kerasplm.tasks.kinds.texts import token_lists
from kerasplm.tasks.kinds.writing import GeneratedText, surest, written_texts
from kerasplm.tasks.rows import SourceRow

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

PART = "\n"
"""What stands between the parts of a target."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions(Options):
    """Choices for texts to write. Of those of the decoder see `Decoding`.

    Args:
        max_query_length: Tokens of each source text but the first, such as a question;
            `max_length` is for the whole source, and the first text is cut to fit.
        max_answer_length: Tokens of a target, end token included.
        parts: Parts of a target: lines of its text, each followed by [SEP].
        beams: Hypotheses of the beam search; 1 takes the most probable token.
        top_k: Draw from the k most probable tokens instead.
        top_p: Draw from the most probable tokens that reach p together instead.
        min_answer_length: Tokens before the end at least.
        length_penalty: As in `Decoding`.
        no_repeat_ngram: As in `Decoding`.
        extract: Every text that is written is a part of the first source text.
        dev_rows: Rows of the development set that are written between the epochs; in
            the end all of them are.
    """

    max_query_length: int = 64
    max_answer_length: int = 32
    parts: int = 1
    beams: int = 1
    top_k: int | None = None
    top_p: float | None = None
    min_answer_length: int = 0
    length_penalty: float = 0.0
    no_repeat_ngram: int = 0
    extract: bool = False
    dev_rows: int = 1000

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (
            ("max_query_length", 1),
            ("max_answer_length", 2),
            ("parts", 1),
            ("dev_rows", 1),
        ):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name} must be at least {least}. Received: {getattr(self, name)}"
                )
        if self.extract and self.parts > 1:
            # Nothing of the source is adjacent to the end of a part.
            raise ConfigError(
                f"extract gives one part of the source. Received: parts={self.parts}"
            )
        self.decoding(0)

    def decoding(self, end_id: int) -> Decoding:
        """Return the options of the decoder.

        Args:
            end_id: Token that ends a part.

        Raises:
            ConfigError: One is out of range, or two exclude each other.
        """
        drawn = self.top_k is not None or self.top_p is not None
        return Decoding(
            max_length=self.max_answer_length,
            min_length=self.min_answer_length,
            beams=self.beams,
            samples=1 if drawn else None,
            top_k=self.top_k,
            top_p=self.top_p,
            length_penalty=self.length_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            end_id=end_id,
            min_ends=self.parts,
        )


class Generation(Kind):
    """Read texts, write a text; a prediction is a `GeneratedText`."""

    name = "generation"
    row = SourceRow
    metric = "bleu"
    options = GenerationOptions
    writes = True
    bodies = (Encoder, PretrainedModel, Seq2Seq)

    def longest(self, settings: "Settings") -> int:
        """Return the tokens of a source and its target."""
        return settings.max_length + int(settings.options.max_answer_length)

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize sources and first targets: [CLS] text [SEP] ... target [SEP].

        Raises:
            ConfigError: `max_length` leaves no room for the first text.
            DataError: A target has not the parts that it should have.
        """
        options = settings.options
        sources = _sources(rows, tokenizer, settings)
        if any(row.targets is None for row in rows):
            read = [(ids, [0] * len(ids)) for ids in sources]
            return joined(read, tokenizer.pad_id)
        texts = [_parts(row, options.parts) for row in rows]
        flat = iter(token_lists(tokenizer, [part for some in texts for part in some]))
        end, sequences, targets = tokenizer.sep_id, [], []
        for source, some in zip(sources, texts, strict=True):
            ids = [i for _ in some for i in (*next(flat), end)][:-1]
            targets.append([*ids[: options.max_answer_length - 1], end])
            segments = [0] * len(source) + [1] * len(targets[-1])
            sequences.append(([*source, *targets[-1]], segments))
        lengths = [len(source) for source in sources]
        told = TextTargets.of(targets, lengths)
        return joined(sequences, tokenizer.pad_id, targets=told)

    def model(self, task: "Task", encoder: Any, settings: "Settings") -> TaskModel:
        """Return a model on an encoder, with its MLM head if there is one."""
        return TextGenerator(encoder, pair=task.pair, task=task.name)

    def watched(
        self, rows: Sequence[Any], features: Features, settings: "Settings"
    ) -> tuple[Sequence[Any], Features]:
        """Return the first rows."""
        count = int(settings.options.dev_rows)
        if count >= len(rows):
            return rows, features
        return rows[:count], first_features(features, count)

    def written(
        self,
        model: keras.Model,
        tokenizer: Any,
        features: Features,
        chosen: np.ndarray,
        settings: "Settings",
    ) -> list[GeneratedText]:
        """Return what the model writes for the sources of some features."""
        limit = model.encoder.config.max_positions
        if limit is not None and self.longest(settings) > limit:
            raise ConfigError(
                f"max_length={settings.max_length} and max_answer_length="
                f"{settings.options.max_answer_length} are more than the {limit} "
                "positions of the model (max_position_embeddings)"
            )
        sources = []
        for number in chosen:
            at = features.span(number)
            sources.append(features.token_ids[at][features.segment_ids[at] == 0])
        options = settings.options
        return written_texts(
            model.network,
            tokenizer,
            sources,
            options.decoding(tokenizer.sep_id),
            extract=options.extract,
            numbers=[int(number) for number in chosen],
            seed=settings.seed,
            between=PART,
        )

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return what was written for each feature."""
        return list(outputs)

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Return a text per row; all rows of a group have the surest one of them."""
        groups: dict[Any, list[int]] = {}
        for number, row in enumerate(rows):
            if row.group is not None:
                groups.setdefault(row.group, []).append(number)
        out = list(found)
        for numbers in groups.values():
            best = surest([found[number] for number in numbers])
            for number in numbers:
                out[number] = best
        return out

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return the means of Rouge and BLEU, and those of an answer.

        `exact` and `f1` are those of CMRC 2018, `average` is their mean. A group
        counts once.
        """
        asked = _once(rows, predictions)
        sums: Scores = {}
        for row, prediction in asked:
            told = _references(row)
            scores = text_scores(prediction.text, told)
            scores |= _answer_scores(prediction.text, told)
            for name, value in scores.items():
                sums[name] = sums.get(name, 0.0) + value
        means = {name: value / len(asked) for name, value in sums.items()}
        return means | {"examples": len(asked)}

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return 1 - Rouge-L, and 0 for a text that equals a reference."""
        return np.array(
            [
                _wrong(prediction.text, _references(row))
                for row, prediction in zip(rows, predictions, strict=True)
            ]
        )

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id, text, and its log-probability."""
        score = round(prediction.score, 6)
        return {"id": row.id, "text": prediction.text, "score": score}

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write one answer per row or group: JSON lines, or id and text in a ".txt"."""
        shown = [self.show(task, row, one) for row, one in _once(rows, predictions)]
        if path.suffix != ".txt":
            write_json_lines(path, ({"id": x["id"], "text": x["text"]} for x in shown))
            return
        lines = (f"{x['id']}\t{' '.join(x['text'].split())}\n" for x in shown)
        write_text(path, "".join(lines))


def _sources(
    rows: Sequence[SourceRow], tokenizer: Any, settings: "Settings"
) -> list[list[int]]:
    """Return [CLS] text [SEP] ... of each row; the first text is cut to fit."""
    most = settings.options.max_query_length
    flat = iter(token_lists(tokenizer, [text for row in rows for text in row.texts]))
    cls, sep, found = tokenizer.cls_id, tokenizer.sep_id, []
    for row in rows:
        first, *others = (next(flat) for _ in row.texts)
        rest = [i for other in others for i in (*other[:most], sep)]
        room = settings.max_length - 2 - len(rest)
        if room < 1:
            raise ConfigError(
                f"row {row.id!r}: max_length={settings.max_length} leaves no room for "
                f"the first of {len(row.texts)} texts; raise it, or lower "
                f"max_query_length={most}"
            )
        found.append([cls, *first[:room], sep, *rest])
    return found


def _parts(row: SourceRow, count: int) -> list[str]:
    assert row.targets is not None
    target = row.targets[0]
    found = [target] if count == 1 else target.split(PART)
    if len(found) != count:
        raise DataError(
            f"row {row.id!r}: expected a target of {count} lines, found {len(found)}"
        )
    return found


def _references(row: SourceRow) -> tuple[str, ...]:
    return row.references or row.targets or ()


def _once(
    rows: Sequence[SourceRow], predictions: Sequence[GeneratedText]
) -> list[tuple[SourceRow, GeneratedText]]:
    """Return the rows with their predictions, of each group the first one."""
    seen: set[Any] = set()
    found = []
    for row, prediction in zip(rows, predictions, strict=True):
        if row.group is None or row.group not in seen:
            found.append((row, prediction))
        seen.add(row.group)
    return found


def _answer_scores(text: str, references: Sequence[str]) -> dict[str, float]:
    exact = float(cmrc_em(references, text))
    empty = not text and "" in references
    f1 = 1.0 if empty else cmrc_f1(references, text)
    return {"exact": exact, "f1": f1, "average": (exact + f1) / 2}


def _wrong(text: str, references: Sequence[str]) -> float:
    if text in references:
        return 0.0
    return 1.0 - text_scores(text, references)["rouge_l"]
