"""Pre-train the small BERT of the demo: `python -m examples.make_demo.pretrain`.

The text is generated (`examples.make_demo.corpus`). The vocabulary is its characters.
Objectives are masked tokens (20 %, of these 80 % [MASK], 10 % random, 10 % kept) and
next-sentence prediction (arXiv:1810.04805); the optimizer is the originals' AdamW.
About 20 minutes on two cores. Writes a checkpoint under TF1 names, its configuration
and vocabulary.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.progress import track

import kerasplm as plm
from examples.make_demo.corpus import generate_corpus
from kerasplm import losses
from kerasplm.encoder import INPUTS

OUTPUT = Path(plm.__file__).parent / "demo" / "data" / "model"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASCII = "0123456789abcdefghijklmnopqrstuvwxyz"
LENGTH, BATCH, MASKED, SHARE = 64, 64, 13, 0.2


def make_vocab(documents: list[list[str]]) -> list[str]:
    """Return special tokens, all characters by frequency, and pieces of Latin words."""
    counts = Counter("".join(s for d in documents for s in d).lower())
    characters = [c for c, n in counts.most_common() if n > 1 and not c.isspace()]
    rest = [c for c in ASCII if c not in characters]
    return [*SPECIAL, *characters, *rest, *(f"##{c}" for c in ASCII)]


def pairs(documents: list[list[list[int]]], seed: int) -> Iterator[tuple]:
    """Yield (first part, second part, 1 if the second is random) without end."""
    rng = random.Random(seed)
    while True:
        document = rng.choice(documents)
        if len(document) < 2:
            continue
        cut = rng.randrange(1, len(document))
        label = rng.random() < 0.5
        first = sum(document[max(0, cut - 2) : cut], [])
        other = rng.choice(documents) if label else document[cut:]
        second = sum(other[:2], [])
        budget = LENGTH - 3
        keep = min(len(first), max(budget - len(second), budget // 2))
        yield first[-keep:], second[: budget - keep], int(label)


def batches(documents: list, tokenizer: plm.Tokenizer, seed: int) -> Iterator[dict]:
    """Yield masked batches of static shape."""
    rng = np.random.default_rng(seed)
    source = pairs(documents, seed)
    special = [tokenizer.id_of(token) for token in SPECIAL]
    while True:
        ids = np.zeros((BATCH, LENGTH), "int32")
        segments = np.zeros((BATCH, LENGTH), "int32")
        labels = np.zeros(BATCH, "int32")
        for n in range(BATCH):
            first, second, labels[n] = next(source)
            row = [tokenizer.cls_id, *first, tokenizer.sep_id, *second]
            row.append(tokenizer.sep_id)
            ids[n, : len(row)] = row
            segments[n, len(first) + 2 : len(row)] = 1
        real = ids != tokenizer.pad_id
        # The highest random numbers of each row are its masked positions.
        draw = np.where(np.isin(ids, special), -1.0, rng.random(ids.shape))
        positions = np.argsort(-draw, axis=1)[:, :MASKED]
        count = np.maximum(1, np.round(real.sum(1) * SHARE))[:, None]
        weights = (np.arange(MASKED)[None] < count).astype("float32")
        targets = np.take_along_axis(ids, positions, 1)
        how = rng.random(targets.shape)
        random_ids = rng.integers(len(SPECIAL), tokenizer.vocab_size, targets.shape)
        new = np.where(how < 0.8, tokenizer.mask_id, random_ids)
        new = np.where((how >= 0.9) | (weights == 0), targets, new)
        masked = ids.copy()
        np.put_along_axis(masked, positions, new.astype("int32"), 1)
        yield {
            "token_ids": masked,
            "segment_ids": segments,
            "padding_mask": real,
            "mlm_positions": positions.astype("int32"),
            "mlm_ids": targets,
            "mlm_weights": weights,
            "pair_labels": labels,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--sentences", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    # ----- text and vocabulary
    keras.utils.set_random_seed(args.seed)
    documents = list(generate_corpus(args.sentences, args.seed))
    vocab = make_vocab(documents)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    tokenizer = plm.load_tokenizer(args.output / "vocab.txt")
    flat = tokenizer.tokenize([s for d in documents for s in d]).to_list()
    source = iter(flat)
    tokens = [[next(source) for _ in document] for document in documents]
    held_out = tokens[::50]
    tokens = [d for n, d in enumerate(tokens) if n % 50]

    # ----- model
    config = plm.Config(
        vocab_size=len(vocab),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=128,
        initializer_range=0.05,  # a narrow network starts faster from larger weights
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = plm.PretrainedModel(plm.Encoder(config), ["mlm", "sentence_pair"])
    optimizer = plm.adamw(1.5e-3, steps=args.steps, beta_2=0.98)

    def loss_of(batch: dict, training: bool) -> tuple:
        inputs = {key: batch[key] for key in (*INPUTS[:3], "mlm_positions")}
        out = model(inputs, training=training)
        mlm, pair = out["mlm_logits"], out["sentence_pair_logits"]
        loss = losses.masked_lm(mlm, batch["mlm_ids"], batch["mlm_weights"])
        return loss, losses.sentence_pair(pair, batch["pair_labels"]), mlm

    @tf.function
    def step(batch: dict) -> tf.Tensor:
        with tf.GradientTape() as tape:
            mlm, pair, _ = loss_of(batch, True)
            total = mlm + pair
        weights = model.trainable_weights
        optimizer.apply(tape.gradient(total, [w.value for w in weights]), weights)
        return total

    def evaluate() -> tuple[float, float]:
        hits, count, total = 0.0, 0.0, 0.0
        for _, batch in zip(range(20), batches(held_out, tokenizer, 1), strict=False):
            loss, _, mlm = loss_of(batch, False)
            right = np.argmax(mlm, -1) == batch["mlm_ids"]
            hits += float((right * batch["mlm_weights"]).sum())
            count += float(batch["mlm_weights"].sum())
            total += float(loss) / 20
        return total, hits / count

    # ----- training
    optimizer.build(model.trainable_weights)
    print(f"{len(vocab)} tokens, {model.count_params():,} weights")
    begin = time.perf_counter()
    source = batches(tokens, tokenizer, args.seed)
    for n in track(range(args.steps), description="pre-training"):
        step({key: tf.constant(value) for key, value in next(source).items()})
        if (n + 1) % 2000 == 0:
            loss, accuracy = evaluate()
            seconds = time.perf_counter() - begin
            print(f"step {n + 1}: mlm {loss:.3f}, {accuracy:.1%}, {seconds:.0f} s")
    plm.save_checkpoint(model, args.output / "bert_model.ckpt")


if __name__ == "__main__":
    main()
