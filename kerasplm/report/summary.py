"""One report on many runs, from their folders alone."""

import csv
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.files import temporary_folder, write_bytes, write_text
from kerasplm.report import pictures
from kerasplm.report.document import (
    Block,
    Heading,
    Picture,
    Pictures,
    Table,
    Text,
    markdown,
    web_page,
)
from kerasplm.report.groups import Group, Seeds, groups_of
from kerasplm.report.plain import COUNTS, best_and_mean, percent, readable, shortened
from kerasplm.report.runs import Run, read_run

_TITLE = "Fine-tuning report"
_PICTURES = "report_pictures"
_LONGEST_TEXT = 400
_SHARES = ("precision", "recall", "f1")


def write_report(runs: Sequence[Path], output: Path) -> None:
    """Write `report.md`, `report.html` and `scores.csv` on runs.

    Only files in the folders of the runs are read; what is not finished or broken is
    listed as that. The same folders give the same report.

    Args:
        runs: Output folders of `finetune`.
        output: Folder for the report; the pictures of `report.md` lie in
            `report_pictures/` there, `report.html` holds its own.

    Raises:
        ConfigError: No runs are given, or the output is a file.

    Example:
        >>> write_report(sorted(Path("out").glob("*/*/*")), Path("out"))
        ... # doctest: +SKIP
    """
    if not runs:
        raise ConfigError("a report needs the folder of at least one run")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: expected a folder for the report, found a file")
    folders = sorted({Path(run).expanduser().resolve() for run in runs})
    root = Path(os.path.commonpath([folder.parent for folder in folders]))
    found = [read_run(folder, root) for folder in folders]
    found.sort(key=lambda run: (run.model, run.task, run.name))
    groups = groups_of(found)
    blocks = _blocks(found, groups)
    output.mkdir(parents=True, exist_ok=True)
    _write_pictures(blocks, output)
    write_text(output / "scores.csv", _scores(groups))
    write_text(output / "report.html", web_page(_TITLE, blocks))
    write_text(output / "report.md", markdown(blocks, _PICTURES))


def _write_pictures(blocks: Sequence[Block], output: Path) -> None:
    """Write the pictures of the Markdown; those of an older report go."""
    with temporary_folder(output) as work:
        (work / "new").mkdir()
        for block in blocks:
            for picture in block.pictures if isinstance(block, Pictures) else ():
                write_bytes(work / "new" / picture.name, picture.png)
        if (output / _PICTURES).exists():
            os.replace(output / _PICTURES, work / "old")
        os.replace(work / "new", output / _PICTURES)
        shutil.rmtree(work / "old", ignore_errors=True)


def _blocks(runs: Sequence[Run], groups: Sequence[Group]) -> list[Block]:
    done = [run for run in runs if not run.problem]
    blocks: list[Block] = [
        Heading(_TITLE, 1),
        Text(f"{len(done)} of {len(runs)} runs are finished."),
    ]
    if groups:
        blocks += [Heading("Scores on the development set"), _overview(groups)]
        blocks += [
            Text(
                "Best run and, in brackets, mean of several seeds, in percent; of "
                "several settings those with the highest mean."
            ),
            Heading("Beside the published scores"),
            _beside(groups),
            *_charts(groups),
        ]
        for group in groups:
            if len(group.settings) > 1:
                blocks.append(_grid(group))
    problems = [(run.name, run.problem) for run in runs if run.problem]
    if problems:
        blocks += [Heading("Runs that do not count"), Table(("run", "why"), problems)]
    for number, run in enumerate(done):
        blocks += _of_run(run, number)
    return blocks


def _overview(groups: Sequence[Group]) -> Table:
    tasks = list(dict.fromkeys(group.task for group in groups))
    metrics = {group.task: group.metric for group in groups}
    cells = {(group.model, group.task): _ours(group.best, group) for group in groups}
    models = dict.fromkeys(group.model for group in groups)
    return Table(
        ("model", *(f"{task} ({metrics[task]})" for task in tasks)),
        [
            (model, *(cells.get((model, task), "") for task in tasks))
            for model in models
        ],
    )


def _ours(seeds: Seeds, group: Group, split: str = "dev", metric: str = "") -> str:
    numbers = seeds.numbers(split, metric or group.metric)
    if numbers is None:
        return ""
    return best_and_mean(numbers.best, numbers.mean if numbers.runs > 1 else None)


def _beside(groups: Sequence[Group]) -> Table:
    columns = (
        *("model", "task", "split", "score", "ours", "published", "source"),
        *("runs", "seconds", "parameters", "best settings"),
    )
    rows = []
    for group in groups:
        for split, metric in group.shown():
            score = group.published(split, metric)
            numbers = group.best.numbers(split, metric)
            parameters = group.best.runs[0].parameters
            rows.append(
                (
                    *(group.model, group.task, split, metric),
                    _ours(group.best, group, split, metric),
                    best_and_mean(score.best, score.mean) if score else "none",
                    " ".join((score.source, score.protocol)).strip() if score else "",
                    numbers.runs if numbers else 0,
                    f"{group.best.seconds:.0f}",
                    f"{parameters / 1e6:.3g} M" if parameters else "",
                    readable(group.chosen(group.best)).replace("\n", ", "),
                )
            )
    return Table(columns, rows)


def _charts(groups: Sequence[Group]) -> list[Block]:
    found = []
    for number, model in enumerate(dict.fromkeys(group.model for group in groups)):
        rows = []
        for group in groups:
            for split, metric in group.shown() if group.model == model else ():
                numbers = group.best.numbers(split, metric)
                if split == "dev" and numbers:
                    score = group.published(split, metric)
                    theirs = (score.best or score.mean) if score else None
                    name = f"{group.task} {metric}"
                    rows.append((name, numbers.best, theirs))
        png = pictures.comparison(rows, f"{model}: best run, development set")
        found.append(Picture(png, f"{model}, development set", f"scores_{number}.png"))
    return [Pictures(found)]


def _grid(group: Group) -> Table:
    names = group.varied()
    rows = []
    for seeds in group.settings:
        values = group.chosen(seeds)
        cells = ["" if values[name] is None else str(values[name]) for name in names]
        rows.append((*cells, _ours(seeds, group), len(seeds.runs)))
    title = f"Settings of {group.model} on {group.task}"
    return Table(
        (*(names or ["data"]), group.metric, "runs"), _padded(rows, names), title
    )


def _padded(rows: list[Any], names: Sequence[str]) -> list[Any]:
    # Runs with the same settings on other data or another model of the same name.
    return rows if names else [(f"variant {n}", *row) for n, row in enumerate(rows, 1)]


def _of_run(run: Run, number: int) -> list[Block]:
    scores = [
        (split, name, f"{100 * x:.2f}" if name not in COUNTS else f"{x:.4g}")
        for split, named in run.scores.items()
        for name, x in named.items()
    ]
    blocks: list[Block] = [
        Heading(f"{run.name}: {run.model} on {run.task}"),
        Table(("split", "score", "percent, loss or number"), scores, "Scores"),
    ]
    if run.missing:
        blocks.append(Text(f"Not shown: {'; '.join(run.missing)}."))
    drawn = _pictures(run, number)
    blocks += [Pictures(drawn)] if drawn else []
    if "classes" in run.details:
        blocks.append(_classes(run.details["classes"]))
    for name, title in (("worst", "Worst predictions"), ("longest", "Longest rows")):
        examples = run.details.get(name, ())
        if examples:
            blocks.append(_examples(examples, title))
    return blocks


def _pictures(run: Run, number: int) -> list[Picture]:
    found = []

    def add(png: bytes, title: str, kind: str) -> None:
        found.append(Picture(png, title, f"run_{number}_{kind}.png"))

    if run.history:
        png = pictures.curves(run.history, run.task, run.metric)
        add(png, f"Learning curves of {run.name}", "curves")
    lengths, confusion = run.details.get("lengths"), run.details.get("confusion")
    if confusion:
        png = pictures.confusions(
            confusion["labels"],
            confusion["matrix"],
            f"{run.task}, development set",
        )
        add(png, "Which label was taken for which", "confusion")
    if lengths:
        limit, histogram = lengths["max_length"], lengths["histogram"]
        png = pictures.lengths(histogram, limit, f"{run.task}, development set")
        add(png, "Tokens of the inputs", "lengths")
    return found


def _classes(classes: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [
        (label, *(percent(told[name]) for name in _SHARES), told["expected"])
        for label, told in classes.items()
    ]
    return Table(("label", *_SHARES, "rows"), rows, "Scores of each label")


def _examples(examples: Sequence[Any], title: str) -> Table:
    rows = [
        (
            example["row"],
            shortened(readable(example["example"]), _LONGEST_TEXT),
            shortened(readable(example["prediction"]), _LONGEST_TEXT),
            readable(example["wrong"]),
            "yes" if example["right"] else "no",
            example["tokens"],
        )
        for example in examples
    ]
    columns = ("row", "row of the file", "predicted", "error", "right", "tokens")
    return Table(columns, rows, title)


def _scores(groups: Sequence[Group]) -> str:
    """Return every score of the best settings as CSV, in percent."""
    columns = (
        *("model", "task", "split", "metric", "best", "mean", "deviation", "runs"),
        *("published_best", "published_mean", "published_source"),
        *("seconds", "parameters", "settings"),
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for group in groups:
        settings = readable(group.chosen(group.best)).replace("\n", ", ")
        for split, metric in group.scores():
            numbers = group.best.numbers(split, metric)
            score = group.published(split, metric)
            if numbers is None:
                continue
            ours = (numbers.best, numbers.mean, numbers.deviation)
            writer.writerow(
                [
                    *(group.model, group.task, split, metric),
                    *("" if x is None else f"{x:.4f}" for x in ours),
                    numbers.runs,
                    *((score.best, score.mean, score.source) if score else [""] * 3),
                    f"{group.best.seconds:.1f}",
                    group.best.runs[0].parameters or "",
                    settings,
                ]
            )
    return out.getvalue()
