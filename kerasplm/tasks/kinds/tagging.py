"""Find named entities."""

import collections
import dataclasses
import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.evaluation.entities import entity_scores
from kerasplm.evaluation.tags import tags_of_entities
from kerasplm.task_models import EntityTagger
from kerasplm.task_models.tagging import (
    DECODERS,
    POINTERS,
    TAG_SCHEMES,
    TAGGERS,
    Decoder,
    Scheme,
    check_choice,
    tags_of_types,
)
from kerasplm.tasks.entity_decoding import pointed, tagged
from kerasplm.tasks.entity_predictions import (
    METRICS,
    EntityPrediction,
    FoundEntity,
    most_context,
)
from kerasplm.tasks.entity_targets import SpanTargets, TagTargets
from kerasplm.tasks.entity_tokens import (
    CUT,
    CharacterTokenizer,
    TokenEntity,
    inside,
    keep_apart,
    learnable,
)
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.formats.submissions import write_entities
from kerasplm.tasks.kinds.base import (
    Kind,
    Options,
    Scores,
    windows,
    with_offsets,
)
from kerasplm.tasks.rows import EntityRow
from kerasplm.tasks.targets import Targets, ragged

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

_log = logging.getLogger("kerasplm")
_NOWHERE = (-1, -1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EntityOptions(Options):
    """Choices for named entities.

    Args:
        decoder: "softmax" or "crf" give each token one tag; "global_pointer" and
            "efficient_global_pointer" score every span, so that entities may lie in
            each other.
        scheme: Of the tags: "BIO", "BIOS", "BIOES" or "BMES".
        constrained: Whether a sequence of tags that the scheme does not know, such as
            I-x behind O, is never given. If not, it is read as conlleval reads it.
        characters: Whether every character is one token, as in CLUENER's own taggers:
            every entity can then be said exactly. If not, a Latin word or a number is
            cut into pieces as in pre-training, and of about one entity in a thousand
            a border lies inside a piece.
        stride: A text that is longer than `max_length` is cut into windows that begin
            so many tokens apart. An entity is taken from the window in which it has
            the most context; one that is no longer than the overlap is whole in it.
            0 truncates.
        threshold: Score above which a span of a pointer is an entity.
        head_size: Width of the pointer's queries and keys.
        crf_multiplier: How many times as fast as the encoder the transitions move.

    Raises:
        ConfigError: A choice does not exist, or a number is out of range.
    """

    decoder: Decoder = "softmax"
    scheme: Scheme = "BIO"
    constrained: bool = True
    characters: bool = True
    stride: int = 64
    threshold: float = 0.0
    head_size: int = 64
    crf_multiplier: float = 1.0

    def __post_init__(self) -> None:
        """Check the choices."""
        check_choice("decoder", self.decoder, DECODERS)
        check_choice("scheme", self.scheme, TAG_SCHEMES)
        if self.stride < 0:
            raise ConfigError(f"stride must not be negative. Received: {self.stride}")
        if not math.isfinite(self.threshold):
            raise ConfigError(f"threshold must be finite. Received: {self.threshold}")


class Tagging(Kind):
    """Texts with named entities."""

    name = "tagging"
    row = EntityRow
    metric = "f1"
    options = EntityOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize texts; long ones are cut into windows."""
        options, size = settings.options, settings.max_length - 2
        offsets: Any = with_offsets(tokenizer)
        if options.characters:
            offsets = CharacterTokenizer(offsets)
        sequences, owner, places, wanted = [], [], [], []
        counts: collections.Counter[str] = collections.Counter()
        for n, row in enumerate(rows):
            ids, spans = offsets.tokenize_offsets(row.text)
            cuts = windows(len(ids), size, options.stride or size)
            cuts = cuts if options.stride else cuts[:1]
            entities, inexact = learnable(
                row.entities or (), spans, options.decoder in POINTERS
            )
            counts += inexact
            whole: set[TokenEntity] = set()
            for start, end in cuts:
                framed = [tokenizer.cls_id, *ids[start:end], tokenizer.sep_id]
                sequences.append((framed, [0] * len(framed)))
                owner.append(n)
                places += [_NOWHERE, *spans[start:end], _NOWHERE]
                here = inside(entities, start, end)
                whole.update(here)
                # [CLS] comes first.
                shift = 1 - start
                wanted.append([_moved(entity, shift) for entity in here])
            counts[CUT] += len(entities) - len(whole)
        _report(task, counts, sum(len(row.entities or ()) for row in rows))
        found = joined(
            sequences,
            tokenizer.pad_id,
            owner,
            places=np.array(places, "int32").reshape(-1, 2),
        )
        if any(row.entities is None for row in rows):
            return found
        targets = self.targets(task, wanted, found.starts, options)
        return dataclasses.replace(found, targets=targets)

    def targets(
        self,
        task: "Task",
        wanted: Sequence[Sequence[TokenEntity]],
        starts: np.ndarray,
        options: EntityOptions,
    ) -> Targets:
        """Return the targets of all features.

        Args:
            task: Names the types.
            wanted: The entities of each feature, in its tokens.
            starts: (features + 1,), where the tokens of each feature begin.
            options: Decoder and scheme.
        """
        if options.decoder in POINTERS:
            index = {kind: n for n, kind in enumerate(task.labels)}
            values, begins = ragged(
                [[(index[e.type], e.start, e.end - 1) for e in one] for one in wanted],
                (3,),
            )
            return SpanTargets(values, begins, np.array(len(task.labels)))
        ids = {
            tag: n for n, tag in enumerate(tags_of_types(task.labels, options.scheme))
        }
        tags: list[int] = []
        for one, length in zip(wanted, np.diff(starts), strict=True):
            spans = [(e.start, e.end, e.type) for e in one]
            names = tags_of_entities(spans, int(length), options.scheme)
            tags += [ids[name] for name in names]
        return TagTargets(np.array(tags, "int32"), starts)

    def model(
        self, task: "Task", encoder: Encoder, settings: "Settings"
    ) -> EntityTagger:
        """Return a tagger."""
        options = settings.options
        return EntityTagger(
            encoder,
            task.labels,
            decoder=options.decoder,
            scheme=options.scheme,
            dropout=settings.head_dropout,
            head_size=options.head_size,
            crf_multiplier=options.crf_multiplier,
            task=task.name,
        )

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the entities whose first token is best seen in the feature."""
        options = settings.options
        name = "scores" if options.decoder in POINTERS else "logits"
        if name not in outputs:
            raise ConfigError(
                f"decoder={options.decoder!r}: expected a model that gives {name}, "
                f"found one that gives {', '.join(outputs)}. Name its own decoder"
            )
        every = (
            pointed(outputs, task.labels, options.threshold)
            if name == "scores"
            else tagged(
                outputs,
                features.lengths[chosen],
                task.labels,
                options.scheme,
                options.constrained,
            )
        )
        out: list[list[FoundEntity]] = [[] for _ in chosen]
        for n, entity, score in every:
            start, end = features.characters(chosen[n], entity.start, entity.end)
            if start >= 0 and end >= 0:  # a pointer may score [CLS] and [SEP]
                out[n].append(FoundEntity(start, end, entity.type, score))
        return out

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Put the windows of a text together; of overlapping tags the likelier win."""
        begins = np.searchsorted(features.owner, np.arange(len(rows) + 1))
        out = []
        for first, stop in itertools.pairwise(begins):
            spans = [features.characters(n, 1, -1) for n in range(first, stop)]
            entities = most_context(spans, found[first:stop])
            if settings.options.decoder in TAGGERS:
                entities = keep_apart(entities, lambda e: -e.score)
            out.append(EntityPrediction(tuple(entities)))
        return out

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Compare places and types; a task may name one of `METRICS` besides.

        Returns:
            Micro precision, recall and F1, mean F1 over types, F1 of each type.
        """
        scores = entity_scores(
            [[dataclasses.astuple(e) for e in row.entities] for row in rows],
            [[dataclasses.astuple(e) for e in p.entities] for p in predictions],
            task.labels,
        )
        micro = scores.micro
        out = {
            "f1": micro.f1,
            "precision": micro.precision,
            "recall": micro.recall,
            "macro_f1": scores.macro_f1,
            "examples": len(rows),
        }
        if task.metric in METRICS:
            out[task.metric] = METRICS[task.metric](task.labels, rows, predictions)
        return out | {f"f1_{kind}": one.f1 for kind, one in scores.classes.items()}

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return the number of entities that are missing or too many."""
        pairs = zip(rows, predictions, strict=True)
        return np.array([len({*r.entities} ^ {*p.entities}) for r, p in pairs], float)

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return id and entities with their surfaces."""
        entities = [
            {**dataclasses.asdict(e), "text": row.text[e.start : e.end]}
            | {"score": round(e.score, 6)}
            for e in prediction.found
        ]
        return {"id": row.id, "entities": entities}

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write CLUENER's format, one JSON object per line."""
        write_entities(path, rows, [p.entities for p in predictions])


def _moved(entity: TokenEntity, shift: int) -> TokenEntity:
    return TokenEntity(entity.start + shift, entity.end + shift, entity.type)


def _report(task: "Task", counts: Mapping[str, int], total: int) -> None:
    for reason, count in counts.items():
        if count:
            _log.info("%s: %d of %d entities %s", task.name, count, total, reason)
