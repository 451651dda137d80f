"""Generate the Chinese corpus on which the demo model is pre-trained.

The sentences come from the templates in ``grammar.py``.  About half of the
documents are reviews, so that a masked language model can learn which opinion
words go together; the others tell of everyday life, places and simple facts.

Run ``python -m examples.make_demo.corpus --sentences 60000 --seed 0 --output
corpus.txt`` to write one sentence per line and a blank line between documents.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from examples.make_demo import grammar
from examples.make_demo.templates import (
    GENERAL,
    Expander,
    aspect_clause,
    expressions,
    records,
    template_lines,
)

__all__ = ["generate_corpus", "main", "write_corpus"]

MIN_CHARS, MAX_CHARS = 6, 40
MIN_DOCUMENT, MAX_DOCUMENT = 3, 12

_REVIEW_SHARE = 0.5
_REVIEW_WEIGHTS = {
    "hotel": 6,
    "food": 6,
    "phone": 5,
    "book": 5,
    "film": 5,
    "clothes": 5,
    "appliance": 3,
    "scenic": 2,
    "courier": 2,
    "course": 2,
}


class _Review:
    """Writes the sentences of one review document."""

    def __init__(self, rng: random.Random) -> None:
        domains = list(_REVIEW_WEIGHTS)
        weights = [_REVIEW_WEIGHTS[name] for name in domains]
        self.rng = rng
        domain = rng.choices(domains, weights)[0]
        self.kind = grammar.DOMAIN_KIND[domain]
        self.texts = grammar.REVIEWS[domain]
        self.expander = Expander(rng)
        self.expander.bind(self.texts["bind"])
        self.positive = rng.random() < 0.5
        # One reviewer does not call the same thing clean and dirty: each
        # aspect is either as good as the whole or an exception to it.
        aspects = rng.sample(grammar.ASPECTS[domain], len(grammar.ASPECTS[domain]))
        # A balanced review praises and criticises by turns.
        self.balanced = len(aspects) >= 4 and rng.random() < 0.35
        exceptions = 1 if len(aspects) < 5 else 2
        if self.balanced:
            exceptions = len(aspects) // 2
        self.exceptions = aspects[:exceptions]
        self.aspects = aspects[exceptions:]
        self.neutral = list(template_lines(self.texts["body"]))
        rng.shuffle(self.neutral)
        self.source: list[str] | None = None

    def sentence(self, index: int, size: int) -> str:
        """Write sentence ``index`` of a document of ``size`` sentences."""
        rng = self.rng
        self.source = None
        if index == 0:
            if "lead" in self.texts and rng.random() < 0.4:
                lead = rng.choice(template_lines(self.texts["lead"]))
                ending = rng.choice(("，{c}，{d}。", "，{c}，{z}。", "，{c}。"))
                return self.expander.expand(lead) + self._fill(ending)
            openings = template_lines(self.texts["open"])
            return self.expander.expand(rng.choice(openings))
        if index == size - 1 and rng.random() < 0.6:
            if self.balanced:
                return "总的来说，" + self._fill(rng.choice(grammar.BALANCES))
            return self._fill(rng.choice(grammar.REVIEW_SENTENCES["close"]))
        if rng.random() < 0.2 and self.neutral:
            self.source = self.neutral
            return self.expander.expand(self.neutral[-1])
        if self.balanced and rng.random() < 0.5:
            self.positive = not self.positive
            self.aspects, self.exceptions = self.exceptions, self.aspects
        side = "pos" if self.positive else "neg"
        draw = rng.random()
        if self.balanced:
            # No overall verdicts here: they would contradict each other.
            if draw < 0.30:
                return self._fill(rng.choice(grammar.BALANCES))
            if draw < 0.45:
                return self._fill(rng.choice(grammar.CONTRASTS) + "。")
            if draw < 0.65:
                return self._fill(rng.choice(grammar.SHORT_SENTENCES))
            return self._fill(rng.choice(grammar.FRAMES[side]))
        if draw < 0.14:
            template = rng.choice(grammar.CONTRASTS)
            return self._fill(template + rng.choice(("，{z}。", "，{k}！", "。")))
        if draw < 0.18:
            return self._fill(rng.choice(grammar.COMPARISONS[self.kind]))
        if draw < 0.22:
            template = rng.choice(grammar.EXPECTATIONS)
            return self._fill(template + rng.choice(("，{k}！", "。")))
        if draw < 0.27:
            return self._fill(rng.choice(grammar.REVIEW_SENTENCES[side]))
        if draw < 0.47:
            return self._fill(rng.choice(grammar.FRAMES[side]))
        if draw < 0.72:
            return self._fill(rng.choice(grammar.SHORT_SENTENCES))
        return self._fill(rng.choice(grammar.REVIEW_SENTENCES["both"]))

    def accept(self) -> None:
        """Note that the last sentence was used."""
        # Take turns, so that a document does not dwell on one aspect.
        self.aspects.append(self.aspects.pop(0))
        if self.source:
            self.source.pop()

    def _prefix(self) -> str:
        prefixes = self.texts["prefix"].split()
        if not prefixes or self.rng.random() < 0.55:
            return ""
        return self.expander.expand(self.rng.choice(prefixes))

    def _pick(self, table: dict[str, str], key: str, count: int) -> list[str]:
        seen, held_out = expressions(table[key])
        pool = seen + held_out
        return self.rng.sample(pool, min(count, len(pool)))

    def _closers(self, key: str) -> list[str]:
        pool: tuple[str, ...] = ()
        for kind in dict.fromkeys(("all", self.kind)):
            seen, held_out = expressions(grammar.CLOSERS[kind][key])
            pool += seen + held_out
        return self.rng.sample(pool, 2)

    def _fill(self, template: str) -> str:
        rng, pick = self.rng, self._pick
        key, other = ("pos", "neg") if self.positive else ("neg", "pos")
        first, second = self.aspects[0], self.aspects[1]
        if "{o}" in template:
            comparable = [aspect for aspect in self.aspects if "axis" in aspect]
            if not comparable:
                template = "{c}，{v}。"
            else:
                first = comparable[0]
        prefix = self._prefix()
        noun = rng.choice(first["n"].split())
        # Lists of adjectives read better when they have the same length.
        words = pick(first, key, 5)
        words = [word for word in words if len(word) == len(words[0])][:3]
        listed = any(name in template for name in ("{b}", "{g}"))
        if listed and (len(words) < 3 or set(words) & set(GENERAL)):
            template = "{c}，{d}。"
        exception = rng.choice(self.exceptions)
        same = aspect_clause(first, self.positive, rng, pick, prefix)
        opposite = aspect_clause(exception, not self.positive, rng, pick, prefix)
        predicate = pick(first, key + "p", 1)[0]
        closers = self._closers(key)
        verdicts = rng.sample(grammar.SHORT_VERDICTS[key].split(), 2)
        values = {
            "m": noun,
            "n": noun if "own" in first else prefix + noun,
            "m2": rng.choice(second["n"].split()),
            "p": predicate,
            "p2": pick(second, key + "p", 1)[0],
            "c": same,
            "d": aspect_clause(second, self.positive, rng, pick),
            "x": opposite,
            "good": same if self.positive else opposite,
            "bad": opposite if self.positive else same,
            "y": aspect_clause(first, self.positive, rng, pick),
            "e": rng.choice([predicate, words[0]]),
            "o": pick(first, other, 1)[0],
            "v": rng.choice(grammar.VERDICTS[key].split()),
            "z": closers[0],
            "z2": closers[1],
            "k": verdicts[0],
            "k2": verdicts[1],
            "who": self.expander.env["who"],
        }
        values.update(zip("abg", words, strict=False))
        return Expander(rng, values).expand(template)


class _Topic:
    """Writes the sentences of one document about a topic."""

    def __init__(self, rng: random.Random) -> None:
        names = list(grammar.TOPICS)
        weights = [int(grammar.TOPICS[name]["weight"]) for name in names]
        self.rng = rng
        name = rng.choices(names, weights)[0]
        self.texts = grammar.TOPICS[name]
        record = self.texts["record"]
        env = dict(rng.choice(records(record))) if record else {}
        self.facts: list[str] = []
        if name == "facts":
            env["field"] = rng.choice(list(grammar.FACTS))
            self.facts = list(template_lines(grammar.FACTS[env["field"]]))
            rng.shuffle(self.facts)
        self.expander = Expander(rng, env)
        self.expander.bind(self.texts["bind"])
        self.body = list(template_lines(self.texts["body"]))
        rng.shuffle(self.body)
        self.source: list[str] | None = None

    def sentence(self, index: int, size: int) -> str:
        """Write sentence ``index`` of a document of ``size`` sentences."""
        self.source = None
        if index == 0:
            template = self.rng.choice(template_lines(self.texts["open"]))
        elif index == size - 1 and self.rng.random() < 0.5:
            template = self.rng.choice(template_lines(self.texts["close"]))
        else:
            # The next template in turn; accept() drops the one that was used.
            self.body.append(self.body.pop(0))
            template = self.body[-1]
            self.source = self.body
        if "{fact}" in template:
            self.facts.append(self.facts.pop(0))
            self.expander.env["fact"] = self.facts[-1]
        return self.expander.expand(template)

    def accept(self) -> None:
        """Note that the last sentence was used."""
        if self.source and len(self.source) > 1:
            self.source.pop()


def generate_corpus(sentences: int, seed: int) -> Iterator[list[str]]:
    """Generate documents of Chinese sentences.

    Args:
        sentences: How many sentences all documents have together.
        seed: Seed of the random generator; equal seeds give equal documents.

    Yields:
        Documents of 3 to 12 sentences about one topic.

    Raises:
        ValueError: If ``sentences`` is too small for one document.
    """
    if sentences < MIN_DOCUMENT:
        raise ValueError(f"sentences must be at least {MIN_DOCUMENT}, got {sentences}")
    rng = random.Random(seed)
    seen: set[str] = set()
    left = sentences
    while left:
        size = min(round(rng.triangular(MIN_DOCUMENT, MAX_DOCUMENT, 7)), left)
        if 0 < left - size < MIN_DOCUMENT:
            # Leave no remainder that is too short to be a document.
            size = left if left <= MAX_DOCUMENT else size - MIN_DOCUMENT
        size = max(size, MIN_DOCUMENT)
        yield _document(size, rng, seen)
        left -= size


def _document(size: int, rng: random.Random, seen: set[str]) -> list[str]:
    writer = _Review(rng) if rng.random() < _REVIEW_SHARE else _Topic(rng)
    document: list[str] = []
    attempt = 0
    while len(document) < size:
        # A few tries for a new sentence keep the corpus diverse; a sentence
        # that comes again after that is as normal as in any real text.
        attempt += 1
        text = writer.sentence(len(document), size)
        if not MIN_CHARS <= len(text) <= MAX_CHARS or text in document:
            continue
        if attempt > 4 or text not in seen:
            seen.add(text)
            document.append(text)
            writer.accept()
            attempt = 0
    return document


def write_corpus(path: Path, sentences: int, seed: int) -> int:
    """Write a corpus as UTF-8 text, a blank line between documents.

    Args:
        path: File to write.
        sentences: Number of sentences.
        seed: Seed of the random generator.

    Returns:
        The number of documents written.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for document in generate_corpus(sentences, seed):
            if count:
                stream.write("\n")
            stream.writelines(sentence + "\n" for sentence in document)
            count += 1
    return count


def main(argv: list[str] | None = None) -> None:
    """Run the command line.

    Args:
        argv: Arguments; those of the process when ``None``.
    """
    parser = argparse.ArgumentParser(description="Generate the demo corpus.")
    parser.add_argument("--sentences", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    count = write_corpus(args.output, args.sentences, args.seed)
    print(f"wrote {args.sentences} sentences in {count} documents to {args.output}")


if __name__ == "__main__":
    main()
