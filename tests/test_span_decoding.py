"""From scores to answers: against the loops of the original code, written out."""

import math

import numpy as np
import pytest

from kerasplm.tasks.kinds.base import best_window, windows
from kerasplm.tasks.kinds.span_decoding import Candidates, answer, candidates

PASSAGE = "春天来了，小河里的水很清，春天的花也开了。"
HEAD = 4  # [CLS] question [SEP]


def make_windows(size=8, stride=5):
    """Return places, best and mask of all windows of the passage, one batch."""
    parts = windows(len(PASSAGE), size, stride)
    best = best_window(parts, len(PASSAGE))
    length = HEAD + size + 1
    places = np.full((len(parts), length, 2), -1)
    most = np.zeros((len(parts), length), bool)
    mask = np.zeros((len(parts), length), bool)
    for n, (start, end) in enumerate(parts):
        at = slice(HEAD, HEAD + end - start)
        chars = np.arange(start, end)
        places[n, at] = np.stack([chars, chars + 1], -1)
        most[n, at] = best[start:end] == n
        mask[n, : HEAD + end - start + 1] = True
    assert len(parts) > 2
    assert not mask.all()
    return places, most, mask


def plain_outputs(rng, mask):
    shape = mask.shape
    names = ("start_logits", "end_logits")
    # Few different values: ties must fall as in the original.
    return {n: rng.integers(0, 7, shape).astype("float32") for n in names}


def beam_outputs(rng, mask, width=6):
    count, length = mask.shape
    rows = [rng.permutation(length)[:width] for _ in range(count * (width + 1))]
    index = np.array(rows).reshape(count, width + 1, width)
    scores = rng.normal(size=index.shape).astype("float32")
    return {
        "start_logits": rng.normal(size=mask.shape).astype("float32"),
        "start_top_index": index[:, 0],
        "start_top_log_probs": -np.sort(-scores[:, 0]),
        "end_top_index": index[:, 1:],
        "end_top_log_probs": -np.sort(-scores[:, 1:]),
        "answerable_logit": rng.normal(size=count).astype("float32"),
    }


def original(outputs, places, most, mask, n_best, longest, version2):
    """Return [(text, score)] of all windows as `write_predictions` lists them."""
    listed, nulls = [], []
    for n in range(len(mask)):
        length = int(mask[n].sum())
        if "start_top_index" in outputs:
            pairs = [
                (int(s), int(e), float(ss) + float(es))
                for s, ss, row, scores in zip(
                    outputs["start_top_index"][n],
                    outputs["start_top_log_probs"][n],
                    outputs["end_top_index"][n],
                    outputs["end_top_log_probs"][n],
                    strict=True,
                )
                for e, es in zip(row, scores, strict=True)
            ]
            nulls.append(float(outputs["answerable_logit"][n]))
        else:
            start, end = (
                outputs[k][n][:length] for k in ("start_logits", "end_logits")
            )
            starts, ends = (
                sorted(range(length), key=lambda i: -float(x[i]))[:n_best]
                for x in (start, end)
            )
            pairs = [
                (s, e, float(start[s]) + float(end[e])) for s in starts for e in ends
            ]
            nulls.append(float(start[0]) + float(end[0]))
        for s, e, score in pairs:
            inside = places[n, s, 0] >= 0 and places[n, e, 0] >= 0
            if inside and most[n, s] and s <= e < s + longest:
                text = PASSAGE[places[n, s, 0] : places[n, e, 1]]
                listed.append((text, score))
    judged = "answerable_logit" in outputs
    if version2 and not judged:
        listed.append(("", min(nulls)))
    chosen: dict[str, float] = {}
    for text, score in sorted(listed, key=lambda one: -one[1]):
        if len(chosen) < n_best:
            chosen.setdefault(text, score)
    if version2 and not judged:
        chosen.setdefault("", min(nulls))
    return list(chosen.items()), min(nulls)


@pytest.mark.parametrize("make", [plain_outputs, beam_outputs])
@pytest.mark.parametrize("version2", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_same_candidates_as_the_original(make, version2, seed):
    rng = np.random.default_rng(seed)
    windowed = make_windows()
    outputs = make(rng, windowed[2])
    found = candidates(outputs, *windowed, n_best=7, max_answer_length=3)
    got = answer(PASSAGE, found, n_best=7, version2=version2, threshold=0.0)
    wanted, null = original(outputs, *windowed, 7, 3, version2)
    assert [one.text for one in got.n_best] == [text for text, _ in wanted]
    scores = [score for _, score in wanted]
    ours = [one.start_score + one.end_score for one in got.n_best]
    assert np.allclose(ours, scores)
    shares = np.exp(scores) / np.exp(scores).sum()
    assert np.allclose([one.probability for one in got.n_best], shares)
    best = next(one for one in got.n_best if one.text)
    judged = "answerable_logit" in outputs
    difference = null if judged else null - best.start_score - best.end_score
    assert got.null_score == pytest.approx(difference)
    none = version2 and difference > 0
    assert got.text == ("" if none else best.text)
    for one in (got, *got.n_best):
        assert one.text == PASSAGE[one.start : one.end]


def test_threshold_of_a_head_that_judges():
    windowed = make_windows()
    outputs = beam_outputs(np.random.default_rng(0), windowed[2])
    found = candidates(outputs, *windowed, 7, 3)
    null = float(outputs["answerable_logit"].min())
    for threshold, none in ((null - 0.01, True), (null + 0.01, False)):
        got = answer(PASSAGE, found, n_best=7, version2=True, threshold=threshold)
        assert got.null_score == pytest.approx(null)
        assert (got.text == "") == none
        share = 1 / (1 + math.exp(-null)) if none else got.n_best[0].probability
        assert got.probability == pytest.approx(share)


def test_log_probabilities_are_compared_where_the_model_gives_them():
    rng = np.random.default_rng(0)
    windowed = make_windows()
    outputs = plain_outputs(rng, windowed[2])
    other = {k.replace("logits", "log_probs"): v[:, ::-1] for k, v in outputs.items()}
    both = candidates(outputs | other, *windowed, 5, 3)
    alone = candidates(
        {k.replace("log_probs", "logits"): v for k, v in other.items()}, *windowed, 5, 3
    )
    for one, two in zip(both, alone, strict=True):
        assert np.array_equal(one.spans, two.spans)
        assert np.array_equal(one.scores, two.scores)
        assert one.null == two.null


def span(start, end, score, null=0.0, judged=False):
    scores = np.array([[score / 2, score / 2]])
    return Candidates(np.array([[start, end]]), scores, null, judged)


def test_threshold():
    for threshold, text in ((-2.0, ""), (-1.0, "春天"), (0.0, "春天")):
        found = [span(0, 2, 5.0, null=4.0)]
        got = answer(PASSAGE, found, n_best=3, version2=True, threshold=threshold)
        assert got.text == text
        assert got.null_score == -1.0
        assert {one.text for one in got.n_best} == {"春天", ""}
        share = 1 / (1 + math.e)
        assert got.probability == pytest.approx(share if text == "" else 1 - share)
    assert answer(PASSAGE, found, n_best=3, version2=False, threshold=-9).text


def test_equal_texts_are_one_candidate():
    found = [span(0, 2, 1.0), span(13, 15, 3.0), span(5, 7, 2.0)]
    got = answer(PASSAGE, found, n_best=5, version2=False, threshold=0.0)
    assert [(one.text, one.start) for one in got.n_best] == [("春天", 13), ("小河", 5)]
    assert (got.start, got.end) == (13, 15)


def test_nothing_to_choose_from():
    nothing = Candidates(np.zeros((0, 2), int), np.zeros((0, 2)), 1.0, False)
    for version2 in (False, True):
        got = answer(PASSAGE, [nothing], n_best=5, version2=version2, threshold=0.0)
        assert (got.text, got.start, got.end, got.null_score) == ("", 0, 0, None)


def test_beams_that_lost_the_first_token():
    """Without it, and without a judge, nobody says how likely no answer is."""
    rng = np.random.default_rng(1)
    windowed = make_windows()
    outputs = beam_outputs(rng, windowed[2])
    del outputs["answerable_logit"]
    outputs["start_top_index"] = np.where(
        outputs["start_top_index"] == 0, 5, outputs["start_top_index"]
    )
    found = candidates(outputs, *windowed, 6, 3)
    got = answer(PASSAGE, found, n_best=6, version2=True, threshold=0.0)
    assert got.text
    assert got.null_score is None
    outputs["start_top_index"][:, 0] = outputs["end_top_index"][:, 0, 0] = 0
    total = outputs["start_top_log_probs"][:, 0] + outputs["end_top_log_probs"][:, 0, 0]
    found = candidates(outputs, *windowed, 6, 3)
    assert [one.null for one in found] == pytest.approx(total.tolist())


def most_context(parts, position):
    """Return the window in which a token has the most context, as the original."""
    best_score = best = None
    for n, (start, end) in enumerate(parts):
        if position < start or position > end - 1:
            continue
        left, right = position - start, end - 1 - position
        score = min(left, right) + 0.01 * (end - start)
        if best_score is None or score > best_score:
            best_score, best = score, n
    return best


@pytest.mark.parametrize("length", [0, 1, 6, 7, 23, 60])
@pytest.mark.parametrize(("size", "stride"), [(6, 3), (6, 6), (7, 2), (5, 9), (1, 1)])
def test_windows_and_context_as_the_original(length, size, stride):
    wanted, offset = [], 0
    while offset < length:
        count = min(length - offset, size)
        wanted.append((offset, offset + count))
        if offset + count == length:
            break
        offset += min(count, stride)
    parts = windows(length, size, stride)
    assert parts == (wanted or [(0, 0)])
    best = best_window(parts, length)
    assert best.tolist() == [most_context(parts, n) for n in range(length)]
