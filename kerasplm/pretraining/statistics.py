"""What a corpus holds and what became of it: counted per block, added up."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

_TOP = 20
# A block may be one of rubbish; its rarest unknown texts are forgotten.
_MOST_UNKNOWN = 1000
_LONGEST_TEXT = 20
_BINS = 32


@dataclasses.dataclass
class Statistics:
    """Counts of a block, or of all of them.

    Args:
        documents: With text, dropped ones too.
        cut: Documents that were too long and became several.
        sentences: Lines with text.
        characters: Of the sentences.
        tokens: Of the sentences.
        unknown: [UNK] among them.
        instances: Records.
        instance_tokens: Tokens of all of them, with [CLS] and [SEP].
        rests: Instances that were too short.
        dropped: Documents of which nothing was used, by reason.
        unknown_texts: What became [UNK].
        lengths: Instances by length.
        labels: Instances by label.
        masks: Predictions of the static form: masked, kept, random.
    """

    documents: int = 0
    cut: int = 0
    sentences: int = 0
    characters: int = 0
    tokens: int = 0
    unknown: int = 0
    instances: int = 0
    instance_tokens: int = 0
    rests: int = 0
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)
    unknown_texts: Counter[str] = dataclasses.field(default_factory=Counter)
    lengths: Counter[str] = dataclasses.field(default_factory=Counter)
    labels: Counter[str] = dataclasses.field(default_factory=Counter)
    masks: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, other: "Statistics") -> None:
        """Add the counts of another block."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, field.name, mine + theirs)

    def one_label(self) -> str:
        """Say that all pairs have the same label."""
        (label,) = self.labels
        return (
            f"warning: all {self.instances} pairs have the label {label}: they teach "
            "nothing (is there a blank line between documents?)"
        )

    def see_unknown(self, text: str) -> None:
        """Count a text without a token."""
        self.unknown_texts[text[:_LONGEST_TEXT]] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the counts, sorted, so that equal counts give equal text."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name, value in data.items():
            if isinstance(value, Counter):
                rows = sorted(value.items(), key=lambda row: (-row[1], row[0]))
                data[name] = dict(rows[:_MOST_UNKNOWN])
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Statistics":
        """Return the counts that `to_json` gave."""
        out = cls()
        for name, value in data.items():
            mapping = isinstance(value, dict)
            setattr(out, name, Counter(value) if mapping else value)
        return out

    def histogram(self, max_length: int) -> dict[str, list[int]]:
        """Return how long the instances are: `edges` in tokens, `counts` between."""
        step = max(1, -(-max_length // _BINS))
        edges = list(range(0, max_length + step, step))
        edges = edges if edges[-1] > max_length else [*edges, edges[-1] + step]
        lengths = [int(length) for length in self.lengths]
        weights = list(self.lengths.values())
        counts, _ = np.histogram(lengths, edges, weights=weights)
        return {"edges": edges, "counts": [int(count) for count in counts]}

    def summary(self, max_length: int) -> dict[str, Any]:
        """Return counts and rates for `dataset.json`.

        Args:
            max_length: Tokens of an instance at most.
        """
        out = self.to_json()
        full = self.lengths[str(max_length)]
        out["lengths"] = self.histogram(max_length)
        out["unknown_texts"] = dict(list(out["unknown_texts"].items())[:_TOP])
        predictions = sum(self.masks.values())
        out["rates"] = {
            "unknown": _share(self.unknown, self.tokens),
            "mean_length": _share(self.instance_tokens, self.instances),
            "full_length": _share(full, self.instances),
            **{
                f"label_{k}": _share(self.labels[k], self.instances)
                for k in sorted(self.labels)
            },
        }
        if predictions:
            out["rates"]["predicted"] = _share(predictions, self.instance_tokens)
            for kind, count in sorted(self.masks.items()):
                out["rates"][f"predicted_{kind}"] = _share(count, predictions)
        return out


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def table(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the rows of the table that a run prints.

    Args:
        summary: Of `Statistics.summary`.
    """
    rates = summary["rates"]
    dropped = ", ".join(f"{n:,} {why}" for why, n in summary["dropped"].items())
    texts = " ".join(f"{text}×{n}" for text, n in summary["unknown_texts"].items())
    text = [
        ("documents", f"{summary['documents']:,}"),
        ("dropped", dropped or "0"),
        ("too short rests", f"{summary['rests']:,}"),
        ("cut, too long", f"{summary['cut']:,}"),
        ("sentences", f"{summary['sentences']:,}"),
        ("tokens", f"{summary['tokens']:,}"),
        ("[UNK]", f"{summary['unknown']:,} ({rates['unknown']:.3%})"),
        ("unknown", texts or "none"),
    ]
    # The originals do not tell what they read.
    rows = text if summary["documents"] else []
    rows += [
        ("instances", f"{summary['instances']:,}"),
        ("mean length", f"{rates['mean_length']:.1f}"),
        ("full length", f"{rates['full_length']:.1%}"),
    ]
    names = {k: k.replace("_", " ") for k in rates if k.startswith(("label", "predic"))}
    return rows + [(name, f"{rates[key]:.2%}") for key, name in names.items()]


def picture(summary: Mapping[str, Any], max_length: int) -> bytes:
    """Draw how long the instances are.

    Args:
        summary: Of `Statistics.summary`.
        max_length: Tokens of an instance at most.

    Returns:
        A PNG file.
    """
    # matplotlib is large, and worker processes draw nothing.
    from kerasplm.report import pictures

    title = f"{summary['instances']:,} instances"
    return pictures.lengths(summary["lengths"], max_length, title)
