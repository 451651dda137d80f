"""The small template language of the demo texts.

``grammar.py`` describes the language and holds the data; the generators of the
corpus and of the labelled reviews share the code in this file.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable

from examples.make_demo import grammar

__all__ = [
    "GENERAL",
    "Expander",
    "Pick",
    "aspect_clause",
    "expressions",
    "records",
    "template_lines",
]

_SLOT = re.compile(r"\{([^{}]*)\}")
_NUMERALS = "零一两三四五六七八九"

# Too general to stand beside a more exact word: 又强又好 sounds odd.
GENERAL = ("好", "差", "一般")

# Chooses up to ``count`` expressions of ``aspect[key]``.
Pick = Callable[[dict[str, str], str, int], list[str]]


@functools.cache
def template_lines(block: str) -> tuple[str, ...]:
    """Split a block of templates, one per line.

    Args:
        block: Lines of text; blank lines are ignored.

    Returns:
        The lines without surrounding white space.
    """
    return tuple(line.strip() for line in block.splitlines() if line.strip())


@functools.cache
def expressions(spec: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a polarity list of the grammar at its bar.

    Args:
        spec: Expressions separated by blanks, with one bar among them.

    Returns:
        The expressions allowed in training and the held-out ones.
    """
    seen, _, held_out = spec.partition("|")
    return tuple(seen.split()), tuple(held_out.split())


@functools.cache
def _words(name: str) -> tuple[str, ...]:
    return tuple(grammar.WORDS[name].split())


@functools.cache
def records(name: str) -> tuple[dict[str, str], ...]:
    """Read the records of one kind.

    Args:
        name: A key of ``grammar.RECORDS``.

    Returns:
        One dictionary from field names to texts per record.

    Raises:
        ValueError: If a record has too many or too few fields.
    """
    fields, block = grammar.RECORDS[name]
    keys = fields.split()
    rows = []
    for line in template_lines(block):
        values = line.split("|")
        if len(values) != len(keys):
            raise ValueError(f"record {line!r} of {name!r} needs {len(keys)} fields")
        rows.append(dict(zip(keys, values, strict=True)))
    return tuple(rows)


class Expander:
    """Fills the slots of templates."""

    def __init__(self, rng: random.Random, env: dict[str, str] | None = None) -> None:
        """Create an expander.

        Args:
            rng: Source of randomness.
            env: Values that are fixed for a whole document.
        """
        self.rng = rng
        self.env = dict(env or {})

    def bind(self, spec: str) -> None:
        """Draw values for a document, all different from each other.

        Args:
            spec: Pairs such as ``"who=person city=city"``.
        """
        for pair in spec.split():
            name, _, source = pair.partition("=")
            # From the list itself: a record may have a field of the same name.
            value = self._word(source)
            while value in self.env.values():
                value = self._word(source)
            self.env[name] = value

    def expand(self, template: str) -> str:
        """Fill all slots of one template.

        Args:
            template: Text in the small language described in ``grammar.py``.

        Returns:
            Text without slots.

        Raises:
            KeyError: If a slot names no value and no word list.
        """
        drawn: dict[str, str] = {}
        text = template
        # The pattern matches innermost slots first, so alternatives may nest.
        while (match := _SLOT.search(text)) is not None:
            before, after = text[: match.start()], text[match.end() :]
            value = self._fill(match.group(1), before, after, drawn)
            text = before + value + after
        return text

    def _fill(self, slot: str, before: str, after: str, drawn: dict[str, str]) -> str:
        if "|" in slot:
            return self.rng.choice(slot.split("|"))
        if slot[:1] in ("#", "%", "$"):
            return self._number(slot, before, after)
        if slot in self.env:
            return self.env[slot]
        if slot not in drawn:
            base = slot.rstrip("0123456789")
            taken = {drawn[key] for key in drawn if key.rstrip("0123456789") == base}
            taken.update(self.env.values())
            value = self._word(base)
            for _ in range(20):
                if value not in taken:
                    break
                value = self._word(base)
            drawn[slot] = value
        return drawn[slot]

    def _word(self, name: str) -> str:
        words = _words(name)
        # The exponent makes early words more frequent, as in real text.
        word = words[int(len(words) * self.rng.random() ** 1.35)]
        return self.expand(word) if "{" in word else word

    def _number(self, slot: str, before: str, after: str) -> str:
        low, _, high = slot[1:].partition("-")
        number = self.rng.randint(int(low), int(high))
        if slot[0] == "%":
            # Two is 二 in ordinals and floors but 两 before measure words.
            if number == 2 and (
                before[-1:] in {*"第之"} or after[:1] in {*"楼级月十路号"}
            ):
                return "二"
            return _NUMERALS[number]
        if slot[0] == "$" and number < 100 and self.rng.random() < 0.4:
            return f"{number}.{self.rng.choice('5589')}"
        return str(number)


def aspect_clause(
    aspect: dict[str, str],
    positive: bool,
    rng: random.Random,
    pick: Pick,
    prefix: str = "",
) -> str:
    """Write a clause that praises or criticises one aspect.

    Args:
        aspect: An entry of ``grammar.ASPECTS``.
        positive: Whether the clause as a whole is praise.
        rng: Source of randomness.
        pick: Chooses up to ``count`` expressions of ``aspect[key]``.
        prefix: Text before the noun, such as "这家酒店的".

    Returns:
        The clause, without final punctuation.
    """
    noun = rng.choice(aspect["n"].split())
    if "own" not in aspect:
        noun = prefix + noun
    same, other = ("pos", "neg") if positive else ("neg", "pos")
    values = {"n": noun}
    draw = rng.random()
    if draw < 0.40:
        kind = "pred"
        values["p"] = pick(aspect, same + "p", 1)[0]
    elif draw < 0.60:
        kind = "not_bad" if positive else "not_good"
        values["a"] = pick(aspect, other, 1)[0]
    else:
        words = pick(aspect, same, 3)
        partners = [w for w in words if len(w) == len(words[0]) and w not in GENERAL]
        values["a"] = words[0]
        if draw < 0.80 and len(partners) > 1:
            kind = "pair"
            values["a"], values["b"] = partners[:2]
        else:
            kind = "adj" if positive or rng.random() < 0.5 else "adj_neg"
    template = rng.choice(grammar.CLAUSES[kind])
    return Expander(rng, values).expand(template)
