"""Sentences per second of data augmentation, beside one word at a time.

    python -m benchmarks.augmentation FOLDER [--shape tiny base] [--texts 32]
        [--runs 3] [--batch 32] [--candidates 15]

FOLDER holds ChnSentiCorp. Compared are the ways to find the substitutes of all words of
its reviews, with a BERT of random weights:

- "one word at a time" as TinyBERT's code does: for each word one pass with a batch of
  one, unpadded, the MLM head at every token, the best words picked from its output;
- "batched": the same words masked, each in a sequence of its own, in batches, the head
  at the masks only;
- "augment": the default, which masks several words of a text at once.

All take the same words of jieba and the same choice of candidates, and each way runs
once before it is timed; then they run in turn. Texts are cut to the `--characters`
first characters, so that the slow way ends. Columns: the median seconds of a run, those
of all cores together (which tell more where others use the machine, too), texts and
words per second, how many times as fast as the first way, and the share of its
substitutes that the way finds, too. `--model` takes a checkpoint instead of random
weights.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kerasplm as plm
from kerasplm.augmentation.filling import EXTRA, joint
from kerasplm.augmentation.substitutes import _WIDE
from kerasplm.reporting import print_table

SHAPES = {"tiny": (4, 312, 12, 1200), "base": (12, 768, 12, 3072)}
Found = list[list[tuple[str, ...]]]


def network(shape: str, words: int) -> plm.PretrainedModel:
    """Return a BERT of random weights."""
    keras.utils.set_random_seed(0)
    layers, hidden, heads, inner = SHAPES[shape]
    config = plm.Config(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
    )
    return plm.PretrainedModel(plm.Encoder(config), ["mlm"])


def one_by_one(
    augmenter: plm.ContextualAugmenter,
    model: keras.Model,
    tokenizer: plm.PythonTokenizer,
) -> Callable[[list[str]], Found]:
    """Return the loop with a pass for each word."""
    language, vocab = augmenter.language, tokenizer.vocab
    allowed = [n for n, token in enumerate(vocab) if language.may_be_token(token)]
    wide = max(_WIDE, 2 * augmenter.candidates) + EXTRA

    @tf.function(reduce_retracing=True, autograph=False)
    def ask(ids: tf.Tensor, segments: tf.Tensor) -> tf.Tensor:
        out = model({"token_ids": ids, "segment_ids": segments}, training=False)
        return out["mlm_logits"]

    def run(texts: list[str]) -> Found:
        found = []
        for text in texts:
            ids, spans = tokenizer.tokenize_offsets(text)
            ids, spans = ids[:254], spans[:254]
            found.append([])
            for start, end in language.words(text):
                places = [
                    n for n, (a, b) in enumerate(spans) if start <= a and b <= end
                ]
                if not places:
                    continue
                masked = list(ids)
                for n in places:
                    masked[n] = tokenizer.mask_id
                first = [tokenizer.cls_id, *masked, tokenizer.sep_id]
                every = [*first, *ids, tokenizer.sep_id]
                segments = [0] * len(first) + [1] * (len(every) - len(first))
                logits = ask(tf.constant([every]), tf.constant([segments]))
                rows = np.asarray(logits)[0, np.array(places) + 1]
                shares = rows - np.logaddexp.reduce(rows, -1, keepdims=True)
                shares = shares[:, allowed]
                best = np.argsort(-shares, -1, kind="stable")[:, :wide]
                words = joint(
                    (np.take_along_axis(shares, best, -1), np.array(allowed)[best]),
                    vocab.__getitem__,
                    language.begins_word,
                    lambda x, word=text[start:end]: language.accepts(word, x),
                    augmenter.candidates,
                ).words
                found[-1].append(tuple(sorted(words)))
        return found

    return run


def batched(augmenter: plm.ContextualAugmenter) -> Callable[[list[str]], Found]:
    """Return the work of the augmenter, which forgets what it knew."""

    def run(texts: list[str]) -> Found:
        augmenter._known.clear()
        return [[p.words for p in places] for places in augmenter.places(texts)]

    return run


def shared(found: Found, like: Found) -> float:
    """Return which share of the substitutes is found, too."""
    pairs = [
        (set(one), set(other))
        for ours, theirs in zip(found, like, strict=True)
        for one, other in zip(ours, theirs, strict=True)
    ]
    return sum(len(a & b) for a, b in pairs) / max(sum(len(b) for _, b in pairs), 1)


def measure(model: keras.Model, tokenizer: plm.PythonTokenizer, args) -> list[tuple]:
    """Return a row of the table for each way."""
    rows = plm.TASKS["chnsenticorp"].rows(args.folder, args.split).rows
    texts = [row.text[: args.characters] for row in rows[: args.texts]]
    options = {"batch_size": args.batch, "candidates": args.candidates}
    alone = plm.ContextualAugmenter(model, tokenizer, mask_share=0.0, **options)
    several = plm.ContextualAugmenter(model, tokenizer, **options)
    ways = {
        "one word at a time": one_by_one(alone, model, tokenizer),
        "batched": batched(alone),
        "augment": batched(several),
    }
    found = {name: run(texts) for name, run in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.runs):
        for name, run in ways.items():
            begin, before = time.perf_counter(), time.process_time()
            run(texts)
            times[name].append(time.perf_counter() - begin)
            work[name].append(time.process_time() - before)
    first = found["one word at a time"]
    words = sum(map(len, first))
    base = statistics.median(times["one word at a time"])
    return [
        (
            name,
            (seconds := statistics.median(times[name])),
            statistics.median(work[name]),
            len(texts) / seconds,
            words / seconds,
            base / seconds,
            shared(found[name], first),
        )
        for name in ways
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["tiny", "base"])
    parser.add_argument("--model", help="checkpoint instead of random weights")
    parser.add_argument("--vocab", help="vocabulary for the random weights")
    parser.add_argument("--split", default="train")
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--characters", type=int, default=250)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--candidates", type=int, default=15)
    args = parser.parse_args()
    columns = ("way", "seconds", "work", "texts/s", "words/s", "times as fast")
    columns += ("shared",)
    if args.model:
        tokenizer = plm.load_tokenizer(args.model, in_graph=False)
        model = plm.load(args.model, heads="pretraining")
        print_table(args.model, columns, measure(model, tokenizer, args))
        return
    if not args.vocab:
        parser.error("--vocab is needed for random weights (a Chinese vocab.txt)")
    tokenizer = plm.PythonTokenizer(args.vocab)
    for shape in args.shape:
        model = network(shape, len(tokenizer.vocab))
        print_table(shape, columns, measure(model, tokenizer, args))


if __name__ == "__main__":
    main()
