"""Generate the labelled reviews on which the demo model is fine-tuned.

A review is about one of six kinds of things and has the label 1 (positive) or
0 (negative).  Two things make the task more than counting words.  In part of
the reviews a clause of the other polarity comes first, or an adjective is
negated, and the main clause decides.  And some opinion words of the dev and
test splits never occur in the training split: they can only be known from the
unlabelled corpus, which is what shows the use of pre-training.

Run ``python -m examples.make_demo.sentiment --seed 0 --output FOLDER`` to
write ``train.tsv``, ``dev.tsv`` and ``test.tsv`` in the format of ChnSentiCorp.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from examples.make_demo import grammar
from examples.make_demo.templates import (
    Expander,
    Pick,
    aspect_clause,
    expressions,
    template_lines,
)

__all__ = ["generate_sentiment", "held_out_expressions", "main", "write_sentiment"]

DOMAINS = ("hotel", "food", "phone", "book", "film", "clothes")
SPLITS = {"train": 3600, "dev": 300, "test": 300}
MIN_CHARS, MAX_CHARS = 8, 60

# How often an opinion word of the dev and test splits is a held-out one.
HELD_OUT_SHARE = 0.32


def held_out_expressions() -> frozenset[str]:
    """Collect the opinion words that no training review may contain.

    Returns:
        The held-out expressions of all domains of the reviews.
    """
    words: set[str] = set()
    for domain in DOMAINS:
        kind = grammar.DOMAIN_KIND[domain]
        tables = (*grammar.ASPECTS[domain], grammar.CLOSERS["all"])
        for table in (*tables, grammar.CLOSERS[kind]):
            for key in ("pos", "neg", "posp", "negp"):
                words.update(expressions(table.get(key, ""))[1])
    return frozenset(words)


def _picker(rng: random.Random, share: float) -> Pick:
    def pick(table: dict[str, str], key: str, count: int) -> list[str]:
        pools = [list(pool) for pool in expressions(table[key])]
        for pool in pools:
            rng.shuffle(pool)
        seen, held_out = pools
        words: list[str] = []
        while len(words) < count and (seen or (share and held_out)):
            wanted, spare = seen, held_out
            if rng.random() < share:
                wanted, spare = held_out, seen
            if not wanted and not share:
                break
            words.append((wanted or spare).pop())
        return words

    return pick


def _review(positive: bool, rng: random.Random, pick: Pick) -> str:
    domain = rng.choice(DOMAINS)
    texts = grammar.REVIEWS[domain]
    expander = Expander(rng)
    expander.bind(texts["bind"])
    first, second = rng.sample(grammar.ASPECTS[domain], 2)
    prefix = ""
    if rng.random() < 0.4:
        prefix = expander.expand(rng.choice(texts["prefix"].split()))
    key, other = ("pos", "neg") if positive else ("neg", "pos")

    draw = rng.random()
    if draw < 0.24:
        values = {
            "x": aspect_clause(first, not positive, rng, pick, prefix),
            "y": aspect_clause(second, positive, rng, pick),
        }
        template = rng.choice(grammar.CONTRASTS)
    elif draw < 0.34 and "axis" in first:
        noun = rng.choice(first["n"].split())
        values = {
            "n": noun if "own" in first else prefix + noun,
            "a": pick(first, key, 1)[0],
            "o": pick(first, other, 1)[0],
        }
        template = rng.choice(grammar.EXPECTATIONS)
    else:
        values = {
            "c": aspect_clause(first, positive, rng, pick, prefix),
            "d": aspect_clause(second, positive, rng, pick),
        }
        template = "{c}" if draw < 0.62 else "{c}，{d}"
    text = Expander(rng, values).expand(template)

    if rng.random() < 0.5:
        lead = rng.choice(template_lines(texts["lead"]))
        text = expander.expand(lead) + "，" + text
    if rng.random() < 0.25:
        kind = rng.choice(("all", grammar.DOMAIN_KIND[domain]))
        text += "，" + pick(grammar.CLOSERS[kind], key, 1)[0]
    return text + rng.choice(("。", "。", "！", ""))


def generate_sentiment(seed: int) -> dict[str, list[tuple[int, str]]]:
    """Generate the three splits.

    Args:
        seed: Seed of the random generator; equal seeds give equal splits.

    Returns:
        The splits ``train``, ``dev`` and ``test`` as lists of label and text,
        balanced and without repeated texts.
    """
    held_out = held_out_expressions()
    taken: set[str] = set()
    splits: dict[str, list[tuple[int, str]]] = {}
    for split, size in SPLITS.items():
        rng = random.Random(f"{seed}/{split}")
        pick = _picker(rng, 0.0 if split == "train" else HELD_OUT_SHARE)
        rows: list[tuple[int, str]] = []
        while len(rows) < size:
            label = len(rows) % 2
            text = _review(label == 1, rng, pick)
            # The final mark does not make a different review.
            core = text.rstrip("。！")
            if core in taken or not MIN_CHARS <= len(text) <= MAX_CHARS:
                continue
            if split == "train" and any(word in text for word in held_out):
                continue
            taken.add(core)
            rows.append((label, text))
        rng.shuffle(rows)
        splits[split] = rows
    return splits


def write_sentiment(folder: Path, seed: int) -> None:
    """Write the splits as tab-separated files with a header.

    Args:
        folder: Folder for ``train.tsv``, ``dev.tsv`` and ``test.tsv``.
        seed: Seed of the random generator.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in generate_sentiment(seed).items():
        lines = ["label\ttext_a", *(f"{label}\t{text}" for label, text in rows)]
        path = folder / f"{split}.tsv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main(argv: list[str] | None = None) -> None:
    """Run the command line.

    Args:
        argv: Arguments; those of the process when ``None``.
    """
    parser = argparse.ArgumentParser(description="Generate the demo reviews.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    write_sentiment(args.output, args.seed)
    print(f"wrote {', '.join(f'{name}.tsv' for name in SPLITS)} to {args.output}")


if __name__ == "__main__":
    main()
