"""From scores of tokens to answers: candidates of a window, the answer of a passage."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """The answers that are possible in one window.

    Args:
        spans: (N, 2) characters [start, end) of the passage.
        scores: (N, 2) float64, of the start and of the end.
        null: Score of "no answer": that of the first token as start and end, or, if
            `judged`, what the head that judges it says.
        judged: Which of the two `null` is.
    """

    spans: np.ndarray
    scores: np.ndarray
    null: float
    judged: bool


@dataclasses.dataclass(frozen=True, slots=True)
class SpanCandidate:
    """One of the best answers to a question.

    Args:
        text: The characters of the passage; "" says that there is no answer.
        start: First character.
        end: One behind the last one.
        probability: Among the candidates.
        start_score: Logit, or log probability.
        end_score: Likewise.
    """

    text: str
    start: int
    end: int
    probability: float
    start_score: float
    end_score: float


@dataclasses.dataclass(frozen=True, slots=True)
class SpanPrediction:
    """The answer to a question.

    Args:
        text: The characters `passage[start:end]`; "" for no answer.
        start: First character.
        end: One behind the last one.
        probability: Of the answer among the candidates; of "no answer" what the head
            that judges it says, if there is one.
        null_score: What the threshold for "no answer" is compared with; None if there
            is no candidate.
        n_best: The best candidates with different texts, best first.
    """

    text: str
    start: int
    end: int
    probability: float
    null_score: float | None
    n_best: tuple[SpanCandidate, ...]


def candidates(
    outputs: Arrays,
    places: np.ndarray,
    best: np.ndarray,
    mask: np.ndarray,
    n_best: int,
    max_answer_length: int,
) -> list[Candidates]:
    """Return the candidates of each window of a batch.

    Of all tokens the `n_best` best starts and ends are paired, or what the beams of
    the model hold. A pair is kept if both tokens are of the passage, the start has
    its most context in this window, and the length is in range.

    Args:
        outputs: What a `SpanExtractor` returned.
        places: (B, T, 2) characters of each token, -1 for those of no passage.
        best: (B, T), whether the token has the most context in this window.
        mask: (B, T), whether there is a token.
        n_best: Starts, and ends.
        max_answer_length: Tokens.

    Source: `write_predictions` of google-research/bert run_squad.py and of
    google-research/electra finetune/qa/qa_tasks.py.
    """
    if "start_top_index" in outputs:
        start, end = outputs["start_top_index"], outputs["end_top_index"]
        start_score = outputs["start_top_log_probs"]
        end_score = outputs["end_top_log_probs"]
    else:
        kind = "log_probs" if "start_log_probs" in outputs else "logits"
        start, start_score = _top(outputs[f"start_{kind}"], mask, n_best)
        end, end_score = _top(outputs[f"end_{kind}"], mask, n_best)
        shape = (*start.shape, end.shape[1])
        end = np.broadcast_to(end[:, None], shape)
        end_score = np.broadcast_to(end_score[:, None], shape)
    inside = places[..., 0] >= 0
    flat = end.reshape(len(end), -1)
    begins = np.take_along_axis(inside & best, start, 1)[..., None]
    ends = np.take_along_axis(inside, flat, 1).reshape(end.shape)
    length = end - start[..., None] + 1
    kept = begins & ends & (length >= 1) & (length <= max_answer_length)
    judged = "answerable_logit" in outputs
    null = outputs["answerable_logit"] if judged else _null(outputs)
    found = []
    for n in range(len(kept)):
        i, j = np.nonzero(kept[n])
        first, last = start[n, i], end[n, i, j]
        spans = np.stack([places[n, first, 0], places[n, last, 1]], -1)
        scores = np.stack([start_score[n, i], end_score[n, i, j]], -1)
        found.append(
            Candidates(spans, scores.astype("float64"), float(null[n]), judged)
        )
    return found


def _top(
    scores: np.ndarray, mask: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (B, K) of the largest scores, best first, and the scores."""
    order = np.argsort(np.where(mask, -scores, np.inf), axis=1, kind="stable")
    order = order[:, :count]
    return order, np.take_along_axis(scores, order, 1)


def _null(outputs: Arrays) -> np.ndarray:
    """Return the score (B,) of the first token as start and end."""
    for kind in ("log_probs", "logits"):
        if f"end_{kind}" in outputs and "end_top_index" not in outputs:
            first = outputs[f"start_{kind}"][:, 0].astype("float64")
            return first + outputs[f"end_{kind}"][:, 0]
    starts, ends = outputs["start_top_index"], outputs["end_top_index"]
    total = outputs["start_top_log_probs"][..., None] + outputs["end_top_log_probs"]
    # The beams may have lost it.
    chosen = (starts[..., None] == 0) & (ends == 0)
    return np.where(chosen, total, -np.inf).max((1, 2)).astype("float64")


def answer(
    passage: str,
    found: Sequence[Candidates],
    *,
    n_best: int,
    version2: bool,
    threshold: float,
) -> SpanPrediction:
    """Return the answer that the windows of a passage give together.

    Args:
        passage: The text.
        found: The candidates of each window.
        n_best: Candidates to keep; of those with one text only the best.
        version2: Whether there may be no answer.
        threshold: There is none if the score of "no answer", less that of the best
            candidate unless the model judges the two apart, is larger.

    Source: as for `candidates`.
    """
    spans = np.concatenate([one.spans for one in found])
    scores = np.concatenate([one.scores for one in found])
    judged, null = found[0].judged, min(one.null for one in found)
    # "No answer" is one of the candidates, unless the beams have lost it.
    listed_null = version2 and not judged and null > -math.inf
    if listed_null:
        spans = np.concatenate([spans, [[0, 0]]])
        scores = np.concatenate([scores, [[null / 2, null / 2]]])
    totals = scores.sum(1)
    kept: dict[str, int] = {}
    for n in np.argsort(-totals, kind="stable"):
        if len(kept) == n_best:
            break
        kept.setdefault(passage[spans[n, 0] : spans[n, 1]], int(n))
    if listed_null:
        kept.setdefault("", len(spans) - 1)
    chosen = np.array(list(kept.values()), "int64")
    exp = np.exp(totals[chosen] - totals[chosen].max(initial=-np.inf))
    shares = exp / exp.sum()
    listed = tuple(
        SpanCandidate(
            text,
            int(spans[n, 0]),
            int(spans[n, 1]),
            float(share),
            float(scores[n, 0]),
            float(scores[n, 1]),
        )
        for (text, n), share in zip(kept.items(), shares, strict=True)
    )
    best = next((one for one in listed if one.text), None)
    if best is None:
        return SpanPrediction("", 0, 0, 0.0, None, listed)
    total = best.start_score + best.end_score
    null_score = null if judged else null - total
    if version2 and null_score > threshold:
        if judged:
            sure = 1.0 / (1.0 + math.exp(-null))
        else:
            sure = next(one.probability for one in listed if not one.text)
        return SpanPrediction("", 0, 0, sure, null_score, listed)
    known = null_score if null > -math.inf else None
    return SpanPrediction(
        best.text, best.start, best.end, best.probability, known, listed
    )
