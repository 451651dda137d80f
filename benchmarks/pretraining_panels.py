"""The picture of `pretraining_curves`: loss and score along the steps, side by side."""

import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Panel:
    """One part of the picture.

    Args:
        title: What is shown.
        history: As `pretrain` logs it.
        loss: Name of the loss.
        score: Name of the score.
        loss_baseline: Loss without learning.
        score_baseline: Score without learning.
    """

    title: str
    history: Sequence[Mapping[str, float]]
    loss: str
    score: str
    loss_baseline: float
    score_baseline: float


def draw(panels: Sequence[Panel], columns: int = 3) -> bytes:
    """Return the picture as PNG; the same data give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.1 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.remove()
    handles: list[Any] = []
    for panel, axis in zip(panels, axes, strict=False):
        for name, label, colour in (
            (panel.loss, "loss, training", "tab:blue"),
            (f"val_{panel.loss}", "loss, held out", "tab:orange"),
        ):
            axis.plot(*_points(panel, name), color=colour, lw=1.3, label=label)
        style: dict[str, Any] = {"ls": ":", "lw": 1.2}
        base = panel.loss_baseline
        axis.axhline(base, color="tab:blue", label="loss, baseline", **style)
        axis.set_title(panel.title, fontsize=10)
        axis.set(xlabel="step", ylabel=panel.loss)
        axis.grid(alpha=0.3)
        right = axis.twinx()
        points = _points(panel, f"val_{panel.score}")
        right.plot(*points, "--", color="tab:green", lw=1.3, label="score, held out")
        base = panel.score_baseline
        right.axhline(base, color="tab:green", label="score, baseline", **style)
        right.set(ylabel=panel.score)
        handles = [*axis.lines, *right.lines]
    names = [str(line.get_label()) for line in handles]
    figure.legend(handles, names, loc="outside lower center", ncols=5, fontsize=9)
    drawn, out = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80)
    # A third of the bytes: lines need few colours.
    image = Image.open(drawn).convert("RGB").quantize(64)
    image.save(out, format="png", optimize=True)
    return out.getvalue()


def _points(panel: Panel, name: str) -> tuple[list[float], list[float]]:
    found = [(row["step"], row[name]) for row in panel.history if name in row]
    return [x for x, _ in found], [y for _, y in found]
