"""Pictures as PNG: learning curves, confusions, lengths, comparisons.

The same data give the same bytes. Labels that the font cannot draw are numbered.
"""

import functools
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

History = Sequence[Mapping[str, float]]

# Fonts with Chinese glyphs that systems come with, the free ones first.
_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
)
_CURVES = (("", "training", "tab:blue"), ("val_", "development", "tab:orange"))
_MOST_TICKS = 30
_MOST_MARKERS = 50
_MOST_COUNTS = 20
_LONGEST_LABEL = 16


def curves(history: History, title: str, metric: str, along: str = "epoch") -> bytes:
    """Draw loss and score of training and development set over the epochs.

    Args:
        history: Logs of every evaluation: "epoch", which may be inside an epoch, and
            whatever was measured then, of the development set with "val_" before it.
        title: What was trained.
        metric: Name of the score.
        along: What the logs count: "epoch" or "step".

    Returns:
        A PNG file.

    Example:
        >>> png = curves([{"epoch": 1, "loss": 0.5, "val_f1": 0.7}], "mine", "f1")
        >>> png[1:4]
        b'PNG'
    """
    figure = new_figure(9, 3.4)
    from matplotlib.ticker import MaxNLocator

    for axis, what in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        for prefix, name, colour in _CURVES:
            points = [
                (row[along], row[prefix + what])
                for row in history
                if row.get(prefix + what) is not None
            ]
            if points:
                axis.plot(
                    *zip(*points, strict=True),
                    marker="o" if len(points) <= _MOST_MARKERS else None,
                    ms=4,
                    color=colour,
                    label=name,
                )
        axis.set(xlabel=along)
        axis.set_ylabel(_drawable(what), parse_math=False, fontproperties=_font())
        _title(axis, f"{title}: {what}")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    return as_png(figure)


def confusions(labels: Sequence[str], matrix: Any, title: str) -> bytes:
    """Draw a confusion matrix: shares of each gold label, counts where there is room.

    Args:
        labels: In the order of lines and columns; only some are written if many.
        matrix: (C, C) counts; line: gold, column: predicted.
        title: What was judged.

    Returns:
        A PNG file.
    """
    counts = np.asarray(matrix, "float64").reshape(len(labels), len(labels))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = min(4.2 + 0.28 * len(labels), 11)
    figure = new_figure(size + 0.8, size)
    axis = figure.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=axis, fraction=0.045)
    bar.set_label("share of the gold label")
    ticks = range(0, len(labels), -(-len(labels) // _MOST_TICKS))
    names = [_label(labels[n], n) for n in ticks]
    style = {"parse_math": False, "fontproperties": _font(8)}
    turned = 90 if max(map(len, names), default=0) > 3 else 0
    axis.set_xticks(list(ticks), names, rotation=turned, **style)
    axis.set_yticks(list(ticks), names, **style)
    axis.set(xlabel="predicted", ylabel="gold")
    _title(axis, title)
    if len(labels) <= _MOST_COUNTS:
        for (line, column), share in np.ndenumerate(shares):
            if counts[line, column]:
                axis.text(
                    column,
                    line,
                    f"{counts[line, column]:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if share > 0.5 else "black",
                )
    return as_png(figure)


def lengths(histogram: Mapping[str, Any], max_length: int, title: str) -> bytes:
    """Draw how long inputs are.

    Args:
        histogram: `edges` in tokens and `counts` between them.
        max_length: The limit of the run.
        title: Of what.

    Returns:
        A PNG file.
    """
    figure = new_figure(5, 3)
    axis = figure.subplots()
    axis.stairs(histogram["counts"], histogram["edges"], fill=True, alpha=0.7)
    axis.axvline(max_length, color="tab:red", lw=1, label=f"max_length {max_length}")
    axis.set(xlabel="tokens", ylabel="inputs")
    _title(axis, title)
    axis.legend()
    return as_png(figure)


def comparison(rows: Sequence[tuple[str, float, float | None]], title: str) -> bytes:
    """Draw scores beside the published ones.

    Args:
        rows: Name, our score, the published one or None; both in percent.
        title: What is compared.

    Returns:
        A PNG file.
    """
    figure = new_figure(7.5, 1.3 + 0.55 * len(rows))
    axis = figure.subplots()
    at = np.arange(len(rows))
    published = [(n, row[2]) for n, row in enumerate(rows) if row[2] is not None]
    ours = axis.barh(at - 0.19, [row[1] for row in rows], 0.36, label="ours")
    axis.bar_label(ours, fmt="%.1f", padding=3, fontsize=8)
    if published:
        places, values = (np.array(x) for x in zip(*published, strict=True))
        theirs = axis.barh(places + 0.19, values, 0.36, color="0.7", label="published")
        axis.bar_label(theirs, fmt="%.1f", padding=3, fontsize=8)
    names = [_label(row[0], n, most=40) for n, row in enumerate(rows)]
    axis.set_yticks(at, names, parse_math=False, fontproperties=_font(9))
    axis.invert_yaxis()
    axis.set(xlabel="percent", xlim=(min(0, axis.get_xlim()[0]), 108))
    _title(axis, title)
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8)
    return as_png(figure)


def side_by_side(
    names: Sequence[str], measures: Mapping[str, Sequence[float]], title: str
) -> bytes:
    """Draw several measures of the same models, each with a scale of its own.

    Args:
        names: Of the models.
        measures: For each measure one value for each model.
        title: What is compared.

    Returns:
        A PNG file.
    """
    count = len(measures)
    figure = new_figure(1.2 + 2.6 * count, 1.2 + 0.5 * len(names))
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    at = np.arange(len(names))
    for axis, (measure, values) in zip(panels, measures.items(), strict=True):
        bars = axis.barh(at, values, 0.6)
        axis.bar_label(bars, fmt="%.4g", padding=3, fontsize=8)
        axis.set_xlabel(_drawable(measure), parse_math=False, fontproperties=_font(9))
        axis.margins(x=0.25)
    labels = [_label(name, n, most=40) for n, name in enumerate(names)]
    panels[0].set_yticks(at, labels, parse_math=False, fontproperties=_font(9))
    panels[0].invert_yaxis()
    figure.suptitle(_drawable(title), parse_math=False, fontproperties=_font(10))
    return as_png(figure)


def scaling(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    along: str,
    title: str,
) -> bytes:
    """Draw how measures change with a size: one panel for each, both axes logarithmic.

    Args:
        panels: For each measure its lines: a name and points (size, value).
        along: Name of the size.
        title: What was measured.

    Returns:
        A PNG file.
    """
    figure = new_figure(1 + 4.5 * len(panels), 3.8)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (measure, lines) in zip(axes, panels.items(), strict=True):
        for n, (name, points) in enumerate(lines.items()):
            axis.plot(
                *zip(*points, strict=True), marker="o", ms=4, label=_label(name, n, 40)
            )
        sizes = sorted({size for points in lines.values() for size, _ in points})
        axis.set(xscale="log", yscale="log")
        axis.set_xticks(sizes, [f"{size:g}" for size in sizes], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_xlabel(_drawable(along), parse_math=False, fontproperties=_font(9))
        axis.set_ylabel(_drawable(measure), parse_math=False, fontproperties=_font(9))
        axis.grid(alpha=0.3)
        axis.legend(prop=_font(8))
    figure.suptitle(_drawable(title), parse_math=False, fontproperties=_font(10))
    return as_png(figure)


def new_figure(width: float, height: float) -> Any:
    """Return a figure of so many inches that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Any) -> bytes:
    """Return a picture of a figure."""
    out = io.BytesIO()
    # Without the version of matplotlib: the bytes depend on the data alone. "tight"
    # makes room for names that are longer than the layout expects.
    metadata = {"Software": None}
    figure.savefig(
        out,
        format="png",
        dpi=100,
        bbox_inches="tight",
        pad_inches=0.1,
        metadata=metadata,
    )
    return out.getvalue()


def _title(axis: Any, text: str) -> None:
    axis.set_title(_drawable(text), parse_math=False, fontproperties=_font(10))


@functools.cache
def _font(size: float = 10) -> Any:
    """Return a font with Chinese glyphs if the system has one."""
    from matplotlib.font_manager import FontProperties, fontManager

    there = {font.name for font in fontManager.ttflist}
    family = next((name for name in _CHINESE if name in there), None)
    return FontProperties(family=family, size=size)


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(_font())).get_charmap())


def _can_draw(text: str) -> bool:
    return all(ord(letter) in _glyphs() for letter in text)


def _drawable(text: str) -> str:
    """Return a text in one line with "?" for what the font cannot draw."""
    line = " ".join(text.split())
    return "".join(letter if _can_draw(letter) else "?" for letter in line)


def _label(text: str, number: int, most: int = _LONGEST_LABEL) -> str:
    line = " ".join(text.split())
    if not line or not _can_draw(line):
        return f"#{number}"
    return line if len(line) <= most else line[: most - 1] + "…"
