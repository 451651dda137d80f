"""Pictures of runs: whatever the names of labels and metrics."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from kerasplm.report import pictures

HOSTILE = ["好评", "$x^{", "_a", "a\nb", "", "<script>", "x" * 50, "\x00", "情" * 40]


def pixels(png):
    return imread(io.BytesIO(png))


def test_curves_with_evaluations_inside_epochs():
    history = [
        {"epoch": 0.5, "val_f1": 0.2, "val_loss": 0.7},
        {"epoch": 1, "loss": 0.5, "val_f1": 0.7, "val_loss": 0.6},
        {"epoch": 2, "loss": 0.4, "val_f1": 0.8, "val_loss": 0.5},
    ]
    png = pictures.curves(history, "任务 $a", "f1")
    assert pixels(png).shape == pytest.approx((340, 900, 4), rel=0.1)
    assert png == pictures.curves(history, "任务 $a", "f1")
    # The point inside the first epoch is drawn, and so is the metric's own curve.
    assert png != pictures.curves(history[1:], "任务 $a", "f1")
    assert png != pictures.curves(history, "任务 $a", "accuracy")


def test_curves_of_nothing():
    assert pixels(pictures.curves([], "nothing", "f1")).any()


@pytest.mark.parametrize("count", [2, 9, 119])
def test_confusions_of_any_labels(count):
    labels = (HOSTILE + [str(n) for n in range(count)])[:count]
    matrix = np.eye(count, dtype=int) * 5
    matrix[0, 1] = 7
    matrix[1] = 0  # a label without rows
    found = pixels(pictures.confusions(labels, matrix.tolist(), "矩阵"))
    assert max(found.shape) <= 1200
    other = pixels(pictures.confusions(labels, matrix.T.tolist(), "矩阵"))
    assert not np.array_equal(found, other)


def test_labels_without_glyphs_are_numbered(monkeypatch):
    monkeypatch.setattr(pictures, "_glyphs", lambda: frozenset(range(32, 127)))
    assert pictures._label("好评", 3) == "#3"
    assert pictures._label("good", 3) == "good"
    assert pictures._drawable("好 a\nb") == "? a b"


def test_comparison_and_lengths():
    rows = [("lcqmc", 85.0, 85.3), ("我的", 70.25, None), ("stsb", -3.0, 4.0)]
    assert pixels(pictures.comparison(rows, "rbt3")).any()
    assert pixels(pictures.comparison([("x", 50.0, None)], "rbt3")).any()
    histogram = {"edges": [0, 4, 8], "counts": [3, 1]}
    assert pixels(pictures.lengths(histogram, 8, "句子")).shape == pytest.approx(
        (300, 500, 4), rel=0.1
    )
