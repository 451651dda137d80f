"""What was measured, as tables, Markdown and a picture."""

from collections.abc import Iterator, Mapping
from typing import Any

from kerasplm.report.pictures import scaling, side_by_side

Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]
Found = Mapping[str, Any]


def tables(found: Found) -> Iterator[Table]:
    """Yield the title, the columns and the rows of each table.

    Args:
        found: What `run` returned.
    """
    machine, settings = found["machine"], found["settings"]
    about = ", ".join(f"{name} {value}" for name, value in settings.items())
    yield "machine", ("what", "value"), [*map(tuple, machine.items())]
    if "roof" in found:
        rows = [*found["roof"].items()]
        yield "roof: products of matrices", ("numbers", "GFLOP/s"), rows
    if "start" in found:
        yield "fresh processes", ("what", "s"), [*found["start"].items()]
    models: Found = found["models"]
    plain = {
        name: {key: x for key, x in results.items() if isinstance(x, int | float)}
        for name, results in models.items()
    }
    yield from _together("models", plain)
    streams = {
        f"{name}, {order}": row
        for name, results in models.items()
        for order, row in results.get("stream", {}).items()
    }
    yield from _together(f"raw strings to labels: {about}", streams)
    for measure, title in (("latency", "one text"), ("tokenizers", "tokenizers")):
        chosen = {
            n: results[measure] for n, results in models.items() if measure in results
        }
        yield from _together(title, chosen)
    for name, results in models.items():
        if "curves" in results:
            columns = tuple(results["curves"][0])
            rows = [tuple(row.values()) for row in results["curves"]]
            yield f"{name}: texts without padding", columns, rows


def _together(title: str, rows: Mapping[str, Found]) -> Iterator[Table]:
    """Yield a table with one row for each of several results of the same kind."""
    if rows:
        columns = tuple(next(iter(rows.values())))
        found = [(name, *map(row.get, columns)) for name, row in rows.items()]
        yield title, ("model", *columns), found


def markdown(found: Found) -> str:
    """Return the tables as Markdown."""
    parts = [f"# kerasplm benchmark, {found['date']}\n"]
    for title, columns, rows in tables(found):
        parts.append(f"## {title}\n")
        lines = [columns, ["---"] * len(columns), *rows]
        parts.append("\n".join(f"| {' | '.join(map(_cell, x))} |" for x in lines))
        parts.append("")
    return "\n".join(parts)


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")


def pictures(found: Found) -> dict[str, bytes]:
    """Draw what was measured.

    Returns:
        PNG files: "streams" if streams were measured, "curves" if curves were.
    """
    drawn = {}
    models: Found = found["models"]
    title = f"kerasplm, {found['settings']['precision']}"
    streams = {n: x["stream"] for n, x in models.items() if "stream" in x}
    if streams:
        orders = next(iter(streams.values()))
        bars = {
            f"texts/s, {order}": [x[order]["texts/s"] for x in streams.values()]
            for order in orders
        }
        drawn["streams"] = side_by_side(list(streams), bars, title)
    curves: Found = {n: x["curves"] for n, x in models.items() if "curves" in x}
    if curves:
        panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for measure in ("tokens/s", "peak MiB"):
            lines = panels.setdefault(measure, {})
            for name, rows in curves.items():
                for row in rows:
                    line = lines.setdefault(f"{name}, batch {row['batch']}", [])
                    line.append((row["length"], row[measure]))
        drawn["curves"] = scaling(panels, "tokens of a text", title)
    return drawn
