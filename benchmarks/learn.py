"""Learning from random weights on real data, one row for each kind of head.

    python -m benchmarks.learn overfit --data DIR --vocab VOCAB [--only NAME ...]
    python -m benchmarks.learn train --data DIR --vocab VOCAB --output OUT [--only ...]

DIR holds a folder for each task, named as the task or as its archive. The network has
the shape of RoBERTa-tiny (4 layers of 312) or ALBERT-tiny with random weights; only
the vocabulary is real.

`overfit` trains on the first 64 rows that fit one input, without dropout, until the
score on those same rows reaches 0.99: a head, a loss or a decoder that contradict each
other cannot reach it. Some tasks have a narrower network there. `train`
runs `finetune` on training and development files for a few epochs, and prints the
scores beside what always the most frequent answer (or chance, among candidates) would
get, where there is such a number.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasplm import Config, Encoder, finetune
from kerasplm.families import FAMILIES
from kerasplm.files import write_json
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.saving import config_data
from kerasplm.suites import folder_of
from kerasplm.tasks import TASKS
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import dataset_of
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.optimizing import optimizer_of

ROWS = 64
ENOUGH = 0.99
COLUMNS = {
    "overfit": ("head", "task", "hidden", "metric", "score", "epochs", "seconds"),
    "train": (
        *("head", "task", "examples", "metric", "score", "most frequent"),
        *("epochs", "seconds"),
    ),
}
WIDTH = 312


def shape_of(hidden: int) -> dict[str, int]:
    """Return 4 layers of a width: RoBERTa-tiny has 312, in 12 heads."""
    return {
        "hidden_size": hidden,
        "num_hidden_layers": 4,
        "num_attention_heads": 12 if hidden == WIDTH else hidden // 32,
        "intermediate_size": 4 * hidden,
    }


@dataclasses.dataclass(frozen=True)
class Trial:
    """One row of the table.

    Args:
        task: Name of the task.
        choices: What differs from the recipe when 64 rows are learned by heart.
        train: What differs from it when the real training set is learned.
        files: Files that are not under their usual names.
        rows: Only so many rows of training and development set; None takes all.
        hidden: Width of the network that learns 64 rows by heart.
    """

    task: str
    choices: dict[str, Any]
    train: dict[str, Any]
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    rows: tuple[int, int] | None = None
    hidden: int = WIDTH


_FEW = {"epochs": 60, "batch_size": 16, "learning_rate": 3e-4, "head_dropout": 0.0}
# At that rate reviews stay at 62 of 64 from epoch 20 to 60.
_POOLED = {**_FEW, "learning_rate": 1e-4}
# Decoders that score all pairs of tokens want a low rate and a long warm-up.
_SPANS = {**_FEW, "learning_rate": 1e-4, "warmup": 0.2}
_PLANTS = {"train": "dev_data.json", "dev": "test_data.json"}
TRIALS = {
    "classification": Trial(
        "chnsenticorp",
        {**_POOLED, "max_length": 128},
        {"epochs": 2, "learning_rate": 2e-4, "max_length": 64},
        rows=(4800, 1200),
    ),
    # LCQMC's published folder has no training file: the test file trains.
    "pair": Trial(
        "lcqmc",
        _POOLED,
        {"epochs": 2, "learning_rate": 2e-4, "max_length": 64},
        {"train": "test.txt", "dev": "dev.txt"},
    ),
    **{
        f"tagging, {decoder}": Trial(
            "cluener",
            {**choices, "decoder": decoder},
            {"epochs": 3, "learning_rate": 1e-4, "decoder": decoder},
        )
        for decoder, choices in (
            ("softmax", _FEW),
            ("crf", _FEW),
            ("global_pointer", _SPANS),
            ("efficient_global_pointer", _SPANS),
        )
    },
    "relations, subject_object": Trial(
        "lic2019",
        {**_FEW, "epochs": 100, "warmup": 0.1, "ema": "none"},
        {"epochs": 12, "learning_rate": 3e-4, "ema": "none"},
        _PLANTS,
    ),
    "relations, gplinker": Trial(
        "lic2019",
        {
            **{**_FEW, "epochs": 150, "learning_rate": 5e-4, "warmup": 0.1},
            **{"decoder": "gplinker", "ema": "none"},
        },
        {
            **{"epochs": 12, "learning_rate": 1e-4, "warmup": 0.3},
            **{"decoder": "gplinker", "ema": "none"},
        },
        _PLANTS,
        hidden=128,
    ),
    "reading comprehension": Trial(
        "cmrc2018",
        {
            **{**_FEW, "epochs": 150, "batch_size": 8, "learning_rate": 2e-4},
            **{"max_length": 320, "max_query_length": 40, "max_answer_length": 100},
        },
        {
            **{"epochs": 1, "learning_rate": 3e-4, "evaluations": 1, "batch_size": 16},
            **{"max_length": 320, "max_query_length": 40, "stride": 256},
        },
        rows=(1200, 200),
        hidden=128,
    ),
    "multiple choice": Trial(
        "c3",
        {**_POOLED, "max_length": 64, "batch_size": 8},
        {"epochs": 1, "learning_rate": 2e-4, "max_length": 64, "batch_size": 16},
        rows=(4000, 1000),
    ),
    "cloze": Trial(
        "chid",
        {**_FEW, "batch_size": 8, "epochs": 60, "learning_rate": 2e-4},
        {},
        {"train": "train_few_all.json", "dev": "dev_few_all.json"},
        hidden=128,
    ),
}


def where(name: str, data: Path) -> Path:
    """Return the folder of a task's data; some sets lie under other names."""
    others = {"lic2019": "landscape_ie_spo", "chid": "fewclue_chid"}
    found = folder_of(TASKS[name], data) or data / others.get(name, name)
    if not found.is_dir():
        raise SystemExit(f"{data}: no folder for {name}")
    return found


def settings_of(trial: Trial, choices: dict[str, Any]) -> Any:
    """Return the settings; "none" takes away what the recipe has."""
    settings = TASKS[trial.task].settings(
        **{name: value for name, value in choices.items() if value != "none"}
    )
    gone = {name: None for name, value in choices.items() if value == "none"}
    return dataclasses.replace(settings, **gone)


def overfit(trial: Trial, data: Path, tokenizer: Any) -> tuple[Any, ...]:
    """Learn 64 rows by heart; return the last cells of the row of the table."""
    folder = where(trial.task, data)
    task = TASKS[trial.task].at(folder)
    settings = settings_of(trial, trial.choices)
    file = trial.files.get("train")
    rows = task.rows(folder / file if file else folder, "train").rows[: 8 * ROWS]
    lengths = task.features(rows, tokenizer, settings)
    whole = [
        row
        for n, row in enumerate(rows)
        if (lengths.owner == n).sum() == 1
        and lengths.lengths[lengths.owner == n].max() < settings.max_length
    ][:ROWS]
    features = task.features(whole, tokenizer, settings)
    keras.utils.set_random_seed(0)
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    shape = shape_of(trial.hidden)
    encoder = Encoder(Config(vocab_size=tokenizer.vocab_size, **shape, **none))
    steps = -(-len(features) // settings.batch_size)
    model = task.model(
        encoder,
        settings=settings,
        optimizer=optimizer_of(settings, steps * settings.epochs),
    )
    judge = Judge(task, model, settings)
    begin = time.perf_counter()
    for epoch in range(settings.epochs):
        seed = (0, epoch)
        plan = batches_of(features.lengths, settings.batch_size, "shuffled", seed)
        model.fit(dataset_of(features, [(plan, seed)]), verbose=0, shuffle=False)
        if epoch % 5 == 4 or epoch + 1 == settings.epochs:
            scores = judge.score(whole, features)
            score = scores[task.metric_name]
            print(
                f"epoch {epoch + 1}: {score:.4f}, loss {scores['loss']:.4f}", flush=True
            )
            if score >= ENOUGH:
                break
    seconds = time.perf_counter() - begin
    return trial.hidden, task.metric_name, score, epoch + 1, seconds


def scratch_model(folder: Path, vocab: Path) -> Path:
    """Write a folder with a configuration and the vocabulary, without weights."""
    size = PythonTokenizer(str(vocab)).vocab_size
    encoder = Encoder(Config(vocab_size=size, **shape_of(WIDTH)), family="bert")
    write_json(folder / "bert_config.json", config_data(encoder, FAMILIES["bert"]))
    (folder / "vocab.txt").write_bytes(vocab.read_bytes())
    return folder


def train(trial: Trial, data: Path, model: Path, output: Path) -> tuple[Any, ...]:
    """Run `finetune`; return the last cells of the row of the table."""
    folder = where(trial.task, data)
    files = {split: str(folder / name) for split, name in trial.files.items()}
    choices = {**trial.train, **files, "family": "bert", "from_scratch": True}
    settings = settings_of(trial, choices)
    task = TASKS[trial.task].at(folder)
    if trial.rows is not None:
        task = dataclasses.replace(task, format=First(task.format, trial.rows))
    done = finetune(model, task, folder, output, settings=settings, verbose=2)
    scores = done.scores["dev"]
    base = scores.get("majority", scores.get("chance", ""))
    count = len(task.rows(files.get("train", folder), "train"))
    score = scores[task.metric_name]
    return count, task.metric_name, score, base, settings.epochs, done.seconds


class First:
    """A format that reads the first rows only, to keep a run short."""

    def __init__(self, form: Any, rows: tuple[int, int]) -> None:
        self.form, self.most = form, dict(zip(("train", "dev"), rows, strict=True))
        self.names, self.split = form.names, "train"

    def find(self, path: Any, split: str) -> list[Path]:
        """Return the files, and remember whose they are."""
        self.split = split
        return self.form.find(path, split)

    def has(self, folder: Any, split: str) -> bool:
        """Whether there are files; a test file is passed over."""
        return split in self.most and self.form.has(folder, split)

    def labels(self, folder: Any) -> Any:
        """Return what the folder says of labels."""
        return self.form.labels(folder)

    def read(self, files: Any, labels: Any, **how: Any) -> Any:
        """Read the first rows."""
        found = self.form.read(files, labels, **how)
        return dataclasses.replace(found, rows=found.rows[: self.most[self.split]])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("overfit", "train"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--output", type=Path, help="folder of the runs of `train`")
    parser.add_argument("--only", nargs="+", help="parts of the names of rows")
    args = parser.parse_args(arguments)
    wanted = [n for n in TRIALS if not args.only or any(o in n for o in args.only)]
    rows = []
    for name in wanted:
        trial = TRIALS[name]
        if args.what == "overfit":
            found = overfit(trial, args.data, PythonTokenizer(str(args.vocab)))
        elif trial.train:
            model = scratch_model(args.output / "model", args.vocab)
            output = args.output / "".join(c if c.isalnum() else "_" for c in name)
            found = train(trial, args.data, model, output)
        else:
            continue
        rows.append((name, trial.task, *found))
        print(json.dumps(rows[-1]), flush=True)
    print_table(f"{args.what}, random weights", COLUMNS[args.what], rows)
    missed = [row[0] for row in rows if args.what == "overfit" and row[4] < ENOUGH]
    if missed:
        raise SystemExit(f"below {ENOUGH}: {', '.join(missed)}")


if __name__ == "__main__":
    main()
