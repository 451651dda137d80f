"""Learning curves of pre-training, from random weights, and what masks cover.

    python -m benchmarks.pretraining_curves --text FILE --vocab VOCAB --output OUT
        [--steps 3000] [--only NAME ...]

For each objective the text becomes records of its layout in 16 files, the last of which
is held out; then an encoder of 2 layers of 128 (2 heads, no dropout) is trained, and
evaluated every twelfth of the way. All of it is what `kerasplm pretraining-data` and
`kerasplm pretrain` do; the same call again goes on where it was stopped.

The vocabulary is cut to the tokens that the text has: the text is cut into the same
tokens, and the network is small. Baselines know how often each target occurs in the
training records and nothing else: their loss is that of these shares on the held-out
ones; their accuracy is that of the most frequent held-out target. Files share their
documents, so "held out" means other passages, not other documents.

The last table is of `pretraining_coverage`: which share of the tokens was ever
predicted, by masks that are drawn anew and by those of static copies.
"""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pretraining_coverage import COLUMNS, coverage, rows_of
from benchmarks.pretraining_panels import Panel, draw
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.families import FAMILIES
from kerasplm.files import write_bytes, write_json, write_text
from kerasplm.pretraining.corpus import Masks
from kerasplm.pretraining.creating import create, shard_name
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.jobs import PretrainingJob
from kerasplm.pretraining.training_settings import Settings
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.saving import config_data
from kerasplm.tokenizing import load_tokenizer
from kerasplm.vocab import MASK_TOKEN, REQUIRED_TOKENS

SHARDS = 16
EVALUATIONS = 12
HELD_OUT = 64  # batches of an evaluation
TABLES = {
    "losses: of training first and last, held out at start and end": (
        *("training", "steps", "first", "last", "start", "end", "baseline"),
    ),
    "scores, held out": (
        *("training", "score", "score, start", "score, end", "score, baseline"),
        *("seconds", "tokens/s"),
    ),
}
SHAPE = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 512,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


@dataclasses.dataclass(frozen=True)
class View:
    """One row of the table and one panel of the picture.

    Args:
        title: What is to be found.
        loss: Name of its loss in the logs.
        score: Name of its score.
        targets: What the baseline counts: "tokens", "second" (those of the second
            segment), "labels" or "replaced".
    """

    title: str
    loss: str
    score: str
    targets: str


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training.

    Args:
        layout: Of the data.
        objectives: As for `PretrainingJob`.
        views: What is shown of it.
        length: Tokens per row.
        batch_size: Rows per update.
        words: Where words start.
        electra: As for `PretrainingJob`.
    """

    layout: str
    objectives: tuple[str, ...]
    views: tuple[View, ...]
    length: int = 64
    batch_size: int = 16
    words: str = "jieba"
    electra: dict[str, Any] = dataclasses.field(default_factory=dict)


_MASKED = ("masked_lm_loss", "masked_lm_accuracy", "tokens")
TRIALS = {
    "mlm": Trial("doc-sentences", ("mlm",), (View("masked words", *_MASKED),)),
    "mlm+sop": Trial(
        "sop",
        ("mlm", "sop"),
        (
            View("masked words", *_MASKED),
            View("order", "sentence_order_loss", "sentence_order_accuracy", "labels"),
        ),
    ),
    # A quarter of 128 is too narrow for a generator.
    "rtd": Trial(
        "electra",
        ("rtd",),
        (
            View("generator", *_MASKED),
            View("discriminator", "disc_loss", "disc_auc", "replaced"),
        ),
        words="none",
        electra={"generator_hidden_size": 0.5},
    ),
    "unilm": Trial(
        "unilm",
        ("unilm",),
        (View("second text", "lm_loss", "lm_accuracy", "second"),),
        batch_size=8,
        words="none",
    ),
}


def used_vocabulary(text: Path, tokenizer: Any, output: Path) -> Path:
    """Write the tokens that a text has, in the order of the whole vocabulary."""
    python = PythonTokenizer(tokenizer.vocab, **tokenizer.get_config())
    used = {REQUIRED_TOKENS[0], *REQUIRED_TOKENS, MASK_TOKEN}
    with text.open(encoding="utf-8") as lines:
        for line in lines:
            used.update(python.tokens(line))
    kept = [token for token in tokenizer.vocab if token in used]
    write_text(output, "".join(f"{token}\n" for token in kept))
    return output


def counted(rows: Sequence[dict[str, Any]], targets: str, special: set[int]) -> Counter:
    """Count the targets of instances."""
    found: Counter = Counter()
    for row in rows:
        ids, second = row["input_ids"], row["segment_ids"]
        if targets == "labels":
            found.update(row["next_sentence_labels"].tolist())
        elif targets == "second":
            found.update(ids[second == 1].tolist())
        else:
            found.update(i for i in ids.tolist() if i not in special)
    return found


def guess(known: Counter, found: Counter, size: int) -> tuple[float, float]:
    """Return loss and accuracy of who knows only how often each target occurs.

    The accuracy is that of the target that is held out most often.

    Args:
        known: Targets of the training.
        found: Those that are held out.
        size: Number of possible targets.
    """
    total, held = known.total() + size, found.total()
    bits = sum(n * -np.log((known[target] + 1) / total) for target, n in found.items())
    return float(bits / held), found.most_common(1)[0][1] / held


def baseline(
    view: View, trial: Trial, folder: Path, tokenizer: Any, end: dict[str, float]
) -> tuple[float, float]:
    """Return loss and score without any learning, for a view."""
    files = sorted(folder.glob("records-*.tfrecord"))
    held = rows_of(files[-1:])[: HELD_OUT * trial.batch_size]
    if view.targets == "replaced":
        lengths = np.array([len(row["input_ids"]) for row in held])
        masked = np.round(lengths * Masks().mask_prob) / lengths
        share = float(masked.mean()) * (1 - end["val_sampled_masked_lm_accuracy"])
        loss = -(share * np.log(share) + (1 - share) * np.log(1 - share))
        # As in the original padding counts, as tokens that are surely not replaced.
        same, padding = lengths.sum() * (1 - share), (trial.length - lengths).sum()
        return float(loss), float((padding + same / 2) / (padding + same))
    special = {tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id}
    size = 2 if view.targets == "labels" else tokenizer.vocab_size
    known = counted(rows_of(files[:-1]), view.targets, special)
    return guess(known, counted(held, view.targets, special), size)


def data_of(trial: Trial, text: Path, tokenizer: Any, folder: Path) -> Path:
    """Make the records of a training."""
    settings = DataSettings(
        trial.layout, max_length=trial.length, whole_words=trial.words, shards=SHARDS
    )
    create([str(text)], folder, tokenizer, settings, show=True)
    return folder


def train(
    name: str, steps: int, rate: float, data: Path, vocab: Path, output: Path
) -> tuple[dict[str, float], Any]:
    """Train; return the evaluation before it, and the result."""
    trial = TRIALS[name]
    size = load_tokenizer(str(vocab), in_graph=False).vocab_size
    encoder = Encoder(Config(vocab_size=size, **SHAPE), family="bert")
    config = output / "config.json"
    write_json(config, config_data(encoder, FAMILIES["bert"]))
    shards = [data / shard_name(n, SHARDS) for n in range(SHARDS)]

    def run(folder: str, **changes: Any) -> Any:
        return PretrainingJob(
            data=[str(file) for file in shards[:-1]],
            eval_data=[str(shards[-1])],
            output=output / folder,
            config=str(config),
            vocab=str(vocab),
            family="bert",
            objectives=trial.objectives,
            electra=trial.electra,
            settings=Settings(
                learning_rate=rate,
                max_length=trial.length,
                batch_size=trial.batch_size,
                log_steps=50,
                keep=1,
                eval_batches=HELD_OUT,
                peak_flops=None,
                **changes,
            ),
        ).run()

    every = max(1, steps // EVALUATIONS)
    # The first update of a warm-up has the rate 0: this is the untrained network.
    before = run("before", steps=1, warmup=1).history[-1]
    done = run("run", steps=steps, warmup=steps // 10, save_steps=every)
    return before, done


def table_rows(
    name: str, before: dict[str, float], done: Any, folder: Path, tokenizer: Any
) -> tuple[list[dict[str, Any]], list[Panel]]:
    """Return the rows and panels of a training."""
    rows: list[dict[str, Any]] = []
    panels: list[Panel] = []
    first, last = done.history[0], done.history[-1]
    start = {**before, "step": 0}
    for view in TRIALS[name].views:
        loss, score = view.loss, view.score
        base = baseline(view, TRIALS[name], folder, tokenizer, last)
        rows.append(
            {
                "training": f"{name}: {view.title}",
                "steps": last["step"],
                "first": first[loss],
                "last": last[loss],
                "start": start[f"val_{loss}"],
                "end": last[f"val_{loss}"],
                "baseline": base[0],
                "score": score.split("_")[-1],
                "score, start": start[f"val_{score}"],
                "score, end": last[f"val_{score}"],
                "score, baseline": base[1],
                "seconds": round(done.position.seconds),
                "tokens/s": round(done.position.tokens / done.position.seconds),
            }
        )
        panels.append(
            Panel(f"{name}: {view.title}", [start, *done.history], loss, score, *base)
        )
    return rows, panels


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=1e-3)
    names = [*TRIALS, "coverage"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args = parser.parse_args(arguments)
    whole = load_tokenizer(str(args.vocab), in_graph=False)
    args.output.mkdir(parents=True, exist_ok=True)
    vocab = used_vocabulary(args.text, whole, args.output / "vocab.txt")
    tokenizer = load_tokenizer(str(vocab), in_graph=False)
    rows: list[dict[str, Any]] = []
    panels: list[Panel] = []
    for name in (name for name in TRIALS if name in args.only):
        folder = args.output / name
        data = data_of(TRIALS[name], args.text, tokenizer, folder / "data")
        before, done = train(name, args.steps, args.rate, data, vocab, folder)
        found = table_rows(name, before, done, data, tokenizer)
        rows += found[0]
        panels += found[1]
        print(json.dumps(found[0]), flush=True)
    if rows:
        write_bytes(args.output / "pretraining_curves.png", draw(panels))
        for title, columns in TABLES.items():
            print_table(title, columns, [[row[n] for n in columns] for row in rows])
    if "coverage" in args.only:
        covered = coverage(args.text, tokenizer, args.output / "coverage")
        print_table("share of the tokens ever predicted", COLUMNS, covered)


if __name__ == "__main__":
    main()
