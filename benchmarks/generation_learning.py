"""Learning to write titles from random weights: UniLM and T5.

    python -m benchmarks.generation_learning overfit --data DIR --vocab VOCAB
    python -m benchmarks.generation_learning train --data DIR --vocab VOCAB --output OUT

DIR holds the files of "csl_title". The networks are a BERT of 4 layers of 256 under the
UniLM mask, and a T5 of 3 and 3 layers of 256, with random weights. Of the vocabulary
they have the tokens of the training set.

`overfit` trains on 200 abstracts, of which 64 tokens are read, without dropout until
their titles are written with a Rouge-L of 0.95: features, loss, masks and decoder that
contradict each other cannot reach it. `train` runs `finetune` on the whole set and
prints the scores of dev and test beside those of the first sentence of the abstract,
cut to the mean length of a title.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from benchmarks.learn import COLUMNS
from kerasplm import (
    Config,
    Encoder,
    PretrainedModel,
    Seq2Seq,
    Seq2SeqConfig,
    finetune,
    save_checkpoint,
)
from kerasplm.evaluation.generation import text_scores
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.tasks import TASKS
from kerasplm.tasks.batching import batches_of
from kerasplm.tasks.features import dataset_of
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.optimizing import optimizer_of
from kerasplm.vocab import MASK_TOKEN, REQUIRED_TOKENS

ROWS = 200
ENOUGH = 0.95
EVERY = 5  # epochs from one evaluation to the next
SHAPES: dict[str, Any] = {
    "unilm": Config(
        vocab_size=1,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        attention="unilm",
    ),
    "t5": Seq2SeqConfig(
        vocab_size=1,
        hidden_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        attention_head_size=64,
        intermediate_size=512,
    ),
}
_FAMILY = {"unilm": "bert", "t5": "t5_pegasus"}
_ADAM = {"optimizer": "adamw", "schedule": "bert", "warmup": 0.05, "clip_norm": 1.0}
OVERFIT: dict[str, dict[str, Any]] = {
    "unilm": {**_ADAM, "epochs": 100, "batch_size": 20, "learning_rate": 1e-3},
    "t5": {**_ADAM, "epochs": 100, "batch_size": 20, "learning_rate": 1e-3},
}
# At 1e-3 the BERT stays where it knows only how often each word occurs.
TRAIN: dict[str, dict[str, Any]] = {
    "unilm": {**_ADAM, "batch_size": 32, "learning_rate": 3e-4},
    "t5": {**_ADAM, "batch_size": 32, "learning_rate": 1e-3},
}
SCORES = ("rouge_l", "rouge_1", "rouge_2", "bleu")


def network(name: str, vocab_size: int, **changes: Any) -> keras.Model:
    """Return a network with random weights."""
    config = SHAPES[name].replace(vocab_size=vocab_size, **changes)
    if isinstance(config, Seq2SeqConfig):
        return Seq2Seq(config, family=_FAMILY[name])
    return PretrainedModel(Encoder(config, family=_FAMILY[name]), ["mlm"])


def tokens_of(vocab: Path, data: Path) -> list[str]:
    """Return the special tokens and those of the training set, in their order."""
    tokenizer = PythonTokenizer(str(vocab))
    rows = TASKS["csl_title"].rows(data, "train").rows
    texts = [text for row in rows for text in (*row.texts, *row.targets)]
    used = {token for ids in tokenizer.tokenize(texts) for token in ids}
    used |= {tokenizer.id_of(token) for token in (*REQUIRED_TOKENS, MASK_TOKEN)}
    return [token for n, token in enumerate(tokenizer.vocab) if n in used]


def overfit(name: str, data: Path, tokenizer: Any) -> tuple[Any, ...]:
    """Learn 200 titles by heart; return the last cells of the row of the table."""
    task = TASKS["csl_title"]
    settings = task.settings(max_length=64, **OVERFIT[name])
    most = settings.options.max_answer_length - 1
    rows = [
        row
        for row in task.rows(data, "train").rows[: 2 * ROWS]
        if len(tokenizer.tokenize([row.targets[0]])[0]) <= most
    ][:ROWS]
    features = task.features(rows, tokenizer, settings)
    keras.utils.set_random_seed(0)
    none = {"hidden_dropout_prob": 0.0}
    if name == "unilm":
        none["attention_probs_dropout_prob"] = 0.0
    body = network(name, tokenizer.vocab_size, **none)
    steps = -(-len(features) // settings.batch_size) * settings.epochs
    optimizer = optimizer_of(settings, steps)
    model = task.model(body, settings=settings, optimizer=optimizer)
    judge = Judge(task, model, settings, tokenizer)
    begin = time.perf_counter()
    for epoch in range(settings.epochs):
        plan = batches_of(features.lengths, settings.batch_size, "shuffled", (0, epoch))
        model.fit(dataset_of(features, [(plan, (0, epoch))]), verbose=0, shuffle=False)
        if epoch % EVERY == EVERY - 1:
            scores = judge.score(rows, features)
            told = " ".join(f"{n} {scores[n]:.4f}" for n in (*SCORES, "exact", "loss"))
            seconds = time.perf_counter() - begin
            print(f"{name} epoch {epoch + 1}, {seconds:.0f} s: {told}", flush=True)
            if scores["rouge_l"] >= ENOUGH:
                break
    seconds = time.perf_counter() - begin
    size = SHAPES[name].hidden_size
    return size, "rouge_l", scores["rouge_l"], epoch + 1, seconds


def scratch_model(name: str, folder: Path, vocab: Sequence[str]) -> Path:
    """Write a checkpoint with random weights, and the vocabulary."""
    keras.utils.set_random_seed(0)
    save_checkpoint(network(name, len(vocab)), folder / "model.ckpt")
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    return folder


def train(
    name: str, data: Path, vocab: Sequence[str], output: Path, changes: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Run `finetune`; return the scores by split."""
    model = scratch_model(name, output / f"{name}_model", vocab)
    settings = TASKS["csl_title"].settings(**{**TRAIN[name], **changes})
    place = output / name
    done = finetune(model, "csl_title", data, place, settings=settings, verbose=2)
    return done.scores


def first_words(data: Path, split: str) -> dict[str, float]:
    """Return the scores of the beginnings of the abstracts, taken as titles."""
    rows = TASKS["csl_title"].rows(data, split).rows
    length = round(sum(len(row.targets[0]) for row in rows) / len(rows))
    sums = dict.fromkeys(SCORES, 0.0)
    for row in rows:
        found = text_scores(row.texts[0][:length], row.targets)
        sums = {score: sums[score] + found[score] for score in SCORES}
    return {score: value / len(rows) for score, value in sums.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("overfit", "train"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--output", type=Path, help="folder of the runs of `train`")
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--epochs", type=int, default=20, help="of `train`")
    parser.add_argument("--max-length", type=int, default=128, help="of `train`")
    args = parser.parse_args(arguments)
    vocab = tokens_of(args.vocab, args.data)
    if args.what == "overfit":
        tokenizer = PythonTokenizer(vocab)
        found = [(n, "csl_title", *overfit(n, args.data, tokenizer)) for n in args.only]
        for row in found:
            print(json.dumps(row), flush=True)
        title = f"{ROWS} pairs by heart, random weights"
        print_table(title, COLUMNS["overfit"], found)
        if missed := [row[0] for row in found if row[4] < ENOUGH]:
            raise SystemExit(f"below {ENOUGH}: {', '.join(missed)}")
        return
    if args.output is None:
        parser.error("train needs --output")
    rows = []
    for name in args.only:
        changes = {"epochs": args.epochs, "max_length": args.max_length}
        scores = train(name, args.data, vocab, args.output, changes)
        rows += [(name, split, *(s[n] for n in SCORES)) for split, s in scores.items()]
    for split in ("dev", "test"):
        base = first_words(args.data, split)
        rows.append(("first words", split, *(base[n] for n in SCORES)))
    print_table("csl_title, random weights", ("model", "split", *SCORES), rows)


if __name__ == "__main__":
    main()
