"""Extract relations: subject, predicate and object, both parts of the text."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.evaluation.triples import by_words, triple_scores
from kerasplm.task_models.relation import DECODERS, Decoder, RelationExtractor
from kerasplm.tasks.features import Features, joined
from kerasplm.tasks.formats.submissions import write_triples
from kerasplm.tasks.kinds.base import (
    Ask,
    Kind,
    Options,
    Scores,
    windows,
    with_offsets,
)
from kerasplm.tasks.kinds.relation_decoding import (
    Relations,
    Subjects,
    find_links,
    find_objects,
    find_subjects,
)
from kerasplm.tasks.kinds.relation_targets import TARGETS, Located, Parts, locate
from kerasplm.tasks.rows import RelationRow, Span, Triple
from kerasplm.tasks.targets import places_in, ragged

if TYPE_CHECKING:
    from kerasplm.tasks.settings import Settings
    from kerasplm.tasks.task import Task

# Subjects whose objects are scored at once.
_CHUNK = 128


@dataclasses.dataclass(frozen=True, kw_only=True)
class RelationOptions(Options):
    """Choices for relations.

    Args:
        decoder: One of `DECODERS`.
        stride: 0 truncates. Else a long text is cut into windows that begin so many
            tokens apart, and the relations of all windows are put together.
        all_matches: Whether every occurrence of a subject and an object in the text is
            taught; else the first one of each, as the originals do.
        start_threshold: "subject_object": a start has a higher probability, in (0, 1).
        end_threshold: "subject_object": an end has a higher probability, in (0, 1).

    Raises:
        ConfigError: There is no such decoder, or a number is out of range.
    """

    decoder: Decoder = "subject_object"
    stride: int = 0
    all_matches: bool = False
    start_threshold: float = 0.6
    end_threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check the values."""
        if self.decoder not in DECODERS:
            raise ConfigError(
                f"decoder must be one of {', '.join(DECODERS)}. Received: "
                f"{self.decoder!r}"
            )
        if self.stride < 0:
            raise ConfigError(f"stride must be 0 or more. Received: {self.stride}")
        for name in ("start_threshold", "end_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be in (0, 1). Received: {getattr(self, name)}"
                )


@dataclasses.dataclass(frozen=True, slots=True)
class FoundRelation:
    """A relation that a model found.

    Args:
        triple: Surfaces, as they stand in the text.
        subject: Characters [start, end) of the subject.
        object: Characters [start, end) of the object.
        score: The smallest probability of its parts.
    """

    triple: Triple
    subject: Span
    object: Span
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class RelationPrediction:
    """What a model finds in a text.

    Args:
        relations: Sorted, each triple once.
    """

    relations: tuple[FoundRelation, ...]

    @property
    def triples(self) -> tuple[Triple, ...]:
        """The relations without their places."""
        return tuple(relation.triple for relation in self.relations)


class Relation(Kind):
    """Texts with subject-predicate-object triples."""

    name = "relation"
    row = RelationRow
    metric = "f1"
    options = RelationOptions

    def features(
        self, task: "Task", rows: Sequence[Any], tokenizer: Any, settings: "Settings"
    ) -> Features:
        """Tokenize texts; the relations are the targets.

        The tokens of a subject or object are searched among those of the text.
        """
        options, size = settings.options, settings.max_length - 2
        tokenizer = with_offsets(tokenizer)
        index = {label: n for n, label in enumerate(task.labels)}
        sequences, owner, places, found, lost = [], [], [], [], []
        parts: Parts = {}
        for n, row in enumerate(rows):
            ids, spans = tokenizer.tokenize_offsets(row.text)
            cut = windows(len(ids), size, options.stride or size)
            missing = set(row.triples or ())
            for start, end in cut if options.stride else cut[:1]:
                body = ids[start:end]
                sequence = [tokenizer.cls_id, *body, tokenizer.sep_id]
                sequences.append((sequence, [0] * len(sequence)))
                owner.append(n)
                places += [(-1, -1), *spans[start:end], (-1, -1)]
                here: set[Located] = set()
                for triple in row.triples or ():
                    most = 0 if options.all_matches else 1
                    one = set(locate(triple, body, tokenizer, parts, index, most))
                    here |= one
                    missing -= {triple} if one else set()
                found.append(sorted(here))
            lost.append(len(missing))
        features = joined(
            sequences,
            tokenizer.pad_id,
            owner,
            places=np.array(places, "int32").reshape(-1, 2),
        )
        if any(row.triples is None for row in rows):
            return features
        triples, starts = ragged(found, (5,))
        counts = np.array([len(row.triples) for row in rows], "int32")
        missed = np.array(lost, "int32")
        known = (counts == 0) | (missed < counts)
        targets = TARGETS[options.decoder](
            triples, starts, known[features.owner], missed, np.array(len(index))
        )
        return dataclasses.replace(features, targets=targets)

    def model(
        self, task: "Task", encoder: Encoder, settings: "Settings"
    ) -> RelationExtractor:
        """Return the extractor."""
        return RelationExtractor(
            encoder,
            task.labels,
            decoder=settings.options.decoder,
            dropout=settings.head_dropout,
            task=task.name,
        )

    def second_pass(
        self,
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
        ask: Ask,
    ) -> Relations:
        """Return the relations; of "subject_object" after asking for the objects."""
        at, mask = places_in(features.starts, chosen)
        real = np.zeros(mask.shape, bool)
        assert features.places is not None
        real[mask] = features.places[at, 0] >= 0
        if "entities" in outputs:
            return find_links(**outputs, real=real)
        options = settings.options
        thresholds = options.start_threshold, options.end_threshold
        subjects = find_subjects(outputs["subjects"], real, *thresholds)
        found = [Relations(np.empty((0, 5), "int32"), *np.empty((2, 0), "int32"))]
        for start in range(0, len(subjects.owner), _CHUNK):
            part = Subjects(*(values[start : start + _CHUNK] for values in subjects))
            answer = ask({"subjects": part.spans, "owner": part.owner})
            found.append(find_objects(part, answer["objects"], real, *thresholds))
        return Relations(*map(np.concatenate, zip(*found, strict=True)))

    def found(
        self,
        task: "Task",
        features: Features,
        chosen: np.ndarray,
        outputs: Any,
        settings: "Settings",
    ) -> list[Any]:
        """Return the relations of each feature, in characters of its text.

        Returns:
            For each feature [(subject span, predicate, object span, score)].
        """
        assert features.places is not None
        found: list[list[tuple[Span, int, Span, float]]] = [[] for _ in chosen]
        for triple, n, score in zip(*outputs, strict=True):
            places = features.places[features.span(int(chosen[n]))]
            s0, s1, p, o0, o1 = triple
            subject = int(places[s0, 0]), int(places[s1, 1])
            object_ = int(places[o0, 0]), int(places[o1, 1])
            found[n].append((subject, int(p), object_, float(score)))
        return found

    def predictions(
        self,
        task: "Task",
        rows: Sequence[Any],
        features: Features,
        found: Sequence[Any],
        settings: "Settings",
    ) -> list[Any]:
        """Put together what was found in the windows of each text."""
        best: list[dict[Triple, FoundRelation]] = [{} for _ in rows]
        for n, ones in zip(features.owner, found, strict=True):
            text = rows[n].text
            for subject, p, object_, score in ones:
                triple = Triple(
                    text[slice(*subject)], task.labels[p], text[slice(*object_)]
                )
                before = best[n].get(triple)
                if before is None or score > before.score:
                    best[n][triple] = FoundRelation(triple, subject, object_, score)
        return [
            RelationPrediction(tuple(of[triple] for triple in sorted(of)))
            for of in best
        ]

    def score(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> Scores:
        """Return micro F1, precision and recall; case and spaces do not matter."""
        found = triple_scores(
            [[_plain(triple) for triple in row.triples] for row in rows],
            [[_plain(triple) for triple in one.triples] for one in predictions],
            by_words,
        )
        return {
            "f1": found.f1,
            "precision": found.precision,
            "recall": found.recall,
            "examples": len(rows),
        }

    def wrong(
        self, task: "Task", rows: Sequence[Any], predictions: Sequence[Any]
    ) -> np.ndarray:
        """Return how many triples each prediction lacks or has too many."""
        counts = [
            sum(map(len, _differences(row, prediction)))
            for row, prediction in zip(rows, predictions, strict=True)
        ]
        return np.array(counts, "float64")

    def show(self, task: "Task", row: Any, prediction: Any) -> dict[str, Any]:
        """Return text and triples, and which are new or lacking if the row has any.

        Source: `evaluate` of bojone/bert4keras examples/task_relation_extraction.py.
        """
        predicted = [
            dataclasses.asdict(one.triple)
            | {
                "subject_span": list(one.subject),
                "object_span": list(one.object),
                "score": round(one.score, 6),
            }
            for one in prediction.relations
        ]
        shown = {"id": row.id, "text": row.text, "spo_list_pred": predicted}
        if row.triples is not None:
            new, lack = _differences(row, prediction)
            for name, triples in (
                ("spo_list", row.triples),
                ("new", new),
                ("lack", lack),
            ):
                shown[name] = [dataclasses.asdict(triple) for triple in triples]
        return shown

    def submission(
        self,
        task: "Task",
        path: Path,
        rows: Sequence[Any],
        predictions: Sequence[Any],
    ) -> None:
        """Write LIC's lines."""
        write_triples(path, rows, [prediction.triples for prediction in predictions])


def _plain(triple: Triple) -> tuple[str, str, str]:
    return triple.subject, triple.predicate, triple.object


def _differences(row: Any, prediction: Any) -> tuple[list[Triple], list[Triple]]:
    """Return the triples that only the prediction has, and those that it lacks."""
    gold = {by_words(_plain(triple)): triple for triple in row.triples}
    found = {by_words(_plain(triple)): triple for triple in prediction.triples}
    new = [triple for key, triple in found.items() if key not in gold]
    return new, [triple for key, triple in gold.items() if key not in found]
