"""What distillation gains: a teacher, and small students with and without it.

    python -m benchmarks.distillation --data DIR --vocab VOCAB --output OUT
        [--only chnsenticorp lcqmc] [--arms labels distilled ...] [--seeds 3]
        [--rows N] [--teacher MODEL] [--augmenter MODEL] [--scale F]

DIR holds the folders `chnsenticorp` and `lcqmc` with the official files. LCQMC's
published folder has no training file: the test file trains, and the development file
is divided in two, for development and test.

The teacher has 6 layers of 128. It begins with random weights, or with --teacher (a
folder with a pre-trained encoder, whose sizes then hold), and is fine-tuned once for
each task, on its whole training set; --rows limits what the students see of it. The
students have 2 layers of the teacher's width, begin with random weights that depend on
the seed, and see the training set equally often:

- labels: fine-tuned on the true answers;
- distilled: TinyBERT's two stages;
- augmented: the same on an augmented training set (with --augmenter, a model with an
  MLM head), in about as many updates as without (in whole epochs);
- theseus: BERT-of-Theseus, which begins with the teacher's first layers;
- copied: those layers fine-tuned on the true answers, for comparison with theseus.

Prints, and writes into OUT/distillation.{md,json,png}, the mean and the spread of the
test score over the seeds, and the measured speed. A run that was stopped goes on.
"""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.config import Config
from kerasplm.distillation.choices import Choices
from kerasplm.distillation.comparing import rows_per_second
from kerasplm.distillation.job import DistillationJob
from kerasplm.distillation.students import write_student
from kerasplm.families import FAMILIES
from kerasplm.files import write_bytes, write_json, write_text
from kerasplm.finetuning import finetune
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.report.pictures import as_png, new_figure
from kerasplm.reporting import print_table
from kerasplm.tasks import TASKS
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.zoo import load

WIDTH = 128
TEACHER = {"num_hidden_layers": 6, "num_attention_heads": 4, "intermediate_size": 512}
LAYERS = 2
ARMS = ("labels", "distilled", "augmented", "copied", "theseus")
COMMON: dict[str, Any] = {"batch_size": 32, "max_length": 64, "learning_rate": 3e-4}
# Epochs of a student in all, and of its first stage.
EPOCHS, FIRST = 8, 5
COPIES = 5
TURNS = 3  # of measuring speed
COLUMNS = ("task", "model", "weights", "test", "spread", "runs", "rows/s", "speed-up")
# Task: file for training, development, test; whether there is a header; suffix.
FILES = {
    "chnsenticorp": (("train.tsv", "dev.tsv", "test.tsv"), True, ".tsv"),
    "lcqmc": (("test.txt", "dev.txt", "dev.txt"), False, ".txt"),
}


def prepare_data(task: str, source: Path, goal: Path, rows: int | None) -> Path:
    """Write the three files of a task; of the training set evenly spaced rows."""
    names, header, suffix = FILES[task]
    goal.mkdir(parents=True, exist_ok=True)
    for n, (split, name) in enumerate(
        zip(("train", "dev", "test"), names, strict=True)
    ):
        lines = (source / name).read_text("utf-8").splitlines(keepends=True)
        head = lines[:1] if header else []
        lines = lines[len(head) :]
        if names[1] == names[2] and n:  # one file for both
            lines = lines[n - 1 :: 2]
        count = len(lines) if rows is None or n else min(len(lines), rows)
        at = np.linspace(0, len(lines) - 1, count).astype(int)
        text = "".join([*head, *(lines[i] for i in at)])
        write_text(goal / f"{split}{suffix}", text)
    return goal


def begin_teacher(folder: Path, vocab: Path, seed: int = 0) -> Path:
    """Write a model with random weights."""
    from keras.utils import set_random_seed

    from kerasplm.encoder import Encoder
    from kerasplm.saving import save_checkpoint

    tokenizer = PythonTokenizer(vocab)
    config = Config(
        vocab_size=tokenizer.vocab_size,
        hidden_size=WIDTH,
        max_position_embeddings=512,
        hidden_act=FAMILIES["bert"].gelu,
        **TEACHER,  # type: ignore[arg-type]
    )
    set_random_seed(seed)
    save_checkpoint(Encoder(config), folder / "model.ckpt", family="bert")
    save_tokenizer(tokenizer, folder)
    return folder


def student_config(teacher: Path, file: Path) -> Path:
    """Write the configuration of a student: that of the teacher, with fewer layers."""
    from kerasplm.encoder import Encoder
    from kerasplm.saving import config_data

    encoder: Any = load(teacher)
    small = Encoder(encoder.config.replace(num_hidden_layers=LAYERS))
    write_json(file, config_data(small, FAMILIES[encoder.load_report.family]))
    return file


@dataclasses.dataclass(frozen=True)
class Bench:
    """One task: its data, its teacher, where results are written."""

    task: str
    data: Path
    teacher: Path
    output: Path
    scale: float
    augmented: Path | None

    def epochs(self, number: int) -> int:
        """Return a number of epochs at the scale of this run."""
        return max(1, round(number * self.scale))

    def run(self, arm: str, seed: int) -> Path:
        """Train one student; return the folder of its last stage."""
        out = self.output / f"{arm}-{seed}"
        total, first = self.epochs(EPOCHS), self.epochs(FIRST)
        if arm in ("labels", "copied"):
            start = out / "student"
            if not start.exists():
                config = student_config(self.teacher, out / "student.json")
                layers = LAYERS if arm == "copied" else None
                given: dict[str, Any] = {"config": None if layers else config}
                write_student(start, self.teacher, layers=layers, seed=seed, **given)
            self.finetune(start, out / "run", seed, total, self.data)
            return out / "run"
        stages: dict[str, dict[str, Any]] = {
            "intermediate": {"epochs": first},
            "prediction": {"epochs": max(1, total - first), "learning_rate": 1e-4},
        }
        begin: dict[str, Any] = {
            "student_config": str(student_config(self.teacher, out / "student.json"))
        }
        if arm == "theseus":
            begin = {"student_layers": LAYERS, "method": "theseus"}
            stages = {
                "replacing": {"epochs": first},
                "finetuning": {"epochs": max(1, total - first)},
            }
        if arm == "augmented":
            # About as many updates: an epoch has COPIES + 1 times the rows.
            for one in stages.values():
                one["epochs"] = max(1, round(one["epochs"] / (COPIES + 1)))
            begin["augmented"] = str(self.augmented)
        job = DistillationJob(
            teacher=str(self.teacher),
            output=out / "run",
            task=self.task,
            data=self.data,
            choices=Choices(),
            changes={**COMMON, "seed": seed},
            stage_changes=stages,
            cache_answers=True,
            **begin,
        )
        job.run(verbose=0)
        return out / "run" / job.plan[-1]

    def finetune(
        self, model: Path, output: Path, seed: int, epochs: int, data: Path
    ) -> None:
        """Train on the true answers."""
        settings = TASKS[self.task].settings(
            model=model, **{**COMMON, "seed": seed, "epochs": epochs}
        )
        finetune(model, self.task, data, output, settings=settings, verbose=0)

    def speed(self, folder: Path) -> float:
        """Return rows per second."""
        task = TASKS[self.task]
        settings = task.settings(model=folder, **COMMON)
        network: Any = load(folder, heads="classification")
        rows = task.rows(self.data, "dev").rows
        features = task.features(rows, load_tokenizer(folder), settings)
        return rows_per_second(network, features, 32, 3.0)


def scored(folder: Path, metric: str = "accuracy") -> float:
    return float(
        json.loads((folder / "results.json").read_text())["scores"]["test"][metric]
    )


def bench_of(task: str, given: argparse.Namespace) -> Bench:
    """Train the teacher of a task, and make its augmented training set."""
    out = given.output / task
    whole = prepare_data(task, given.data / task, out / "whole", None)
    data = prepare_data(task, given.data / task, out / "data", given.rows)
    start = Path(given.teacher) if given.teacher else out / "begin"
    if not start.exists():
        begin_teacher(start, given.vocab)
    plain = Bench(task, data, out / "teacher" / "model", out, given.scale, None)
    plain.finetune(start, out / "teacher", 0, plain.epochs(EPOCHS), whole)
    file = None
    if given.augmenter:
        from kerasplm.augmentation import augment_task

        file = out / "augmented" / f"train{FILES[task][2]}"
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            network = load(given.augmenter, heads="pretraining")
            tokenizer = load_tokenizer(given.augmenter, in_graph=False)
            augment_task(task, data, file, network, tokenizer, copies=COPIES)
    return dataclasses.replace(plain, augmented=file)


def rows_of(bench: Bench, arms: Sequence[str], seeds: int) -> list[tuple[Any, ...]]:
    """Run all arms of a task; return the lines of the table."""
    runs = {"teacher": [bench.output / "teacher"]}
    for arm in arms:
        if arm != "augmented" or bench.augmented is not None:
            runs[arm] = [bench.run(arm, seed) for seed in range(seeds)]
    # In turns, so that what else the machine does meets all of them.
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TURNS):
        for name, folders in runs.items():
            speeds[name].append(bench.speed(folders[0] / "model"))
    slow = statistics.median(speeds["teacher"])
    found: list[tuple[Any, ...]] = []
    for name, folders in runs.items():
        scores = [scored(folder) for folder in folders]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        weights = json.loads((folders[0] / "results.json").read_text())["parameters"]
        mine = statistics.median(speeds[name])
        found.append(
            (
                *(bench.task, name, weights, round(statistics.mean(scores), 4)),
                *(round(spread, 4), len(scores), round(mine, 1)),
                round(mine / slow, 2),
            )
        )
    return found


def draw(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Return the scores of the table as PNG: one panel per task."""
    tasks = list(dict.fromkeys(row[0] for row in rows))
    figure = new_figure(4.4 * len(tasks), 3.0)
    axes = figure.subplots(1, len(tasks), squeeze=False)[0]
    for task, axis in zip(tasks, axes, strict=True):
        names, scores, spreads = zip(
            *((row[1], row[3], row[4]) for row in rows if row[0] == task), strict=True
        )
        axis.errorbar(scores, names, xerr=spreads, fmt="o", color="tab:blue", capsize=3)
        for name, score in zip(names, scores, strict=True):
            axis.annotate(
                f"{score:.1%}", (score, name), (0, 6), textcoords="offset points"
            )
        axis.invert_yaxis()
        axis.margins(0.25)
        axis.set(title=task, xlabel="accuracy on the test set")
        axis.grid(alpha=0.3)
    return as_png(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="of the training set, for students")
    parser.add_argument("--teacher", help="a pre-trained encoder with its vocabulary")
    parser.add_argument("--augmenter", help="a model with an MLM head")
    parser.add_argument("--scale", type=float, default=1.0, help="of all epochs")
    given = parser.parse_args()
    rows: list[tuple[Any, ...]] = []
    for task in given.only:
        rows += rows_of(bench_of(task, given), given.arms, given.seeds)
        write_json(
            given.output / "distillation.json",
            [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        )
        lines = [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        write_text(given.output / "distillation.md", "\n".join(lines) + "\n")
        write_bytes(given.output / "distillation.png", draw(rows))
    print_table("distillation", COLUMNS, rows)


if __name__ == "__main__":
    main()
