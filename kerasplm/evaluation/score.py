"""Precision, recall and F1 from three counts."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Count what was found; the shares are fractions, 0 where there is nothing.

    Args:
        correct: Right ones among the predicted.
        predicted: All that were predicted.
        expected: All that are in the references.

    Example:
        >>> score = Score(correct=1, predicted=2, expected=1)
        >>> score.precision, score.recall, round(score.f1, 3)
        (0.5, 1.0, 0.667)

    Source:
        conlleval: a share of nothing is 0.
    """

    correct: int = 0
    predicted: int = 0
    expected: int = 0

    def __add__(self, other: "Score") -> "Score":
        """Return the counts of both."""
        return Score(
            self.correct + other.correct,
            self.predicted + other.predicted,
            self.expected + other.expected,
        )

    @property
    def precision(self) -> float:
        """Share of the predicted that is right."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the expected that was found."""
        return self.correct / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        if not self.correct:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    def to_dict(self) -> dict[str, float]:
        """Return the shares and the counts by name."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**shares, **dataclasses.asdict(self)}


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of several classes.

    Args:
        classes: The score of each class.

    Example:
        >>> scores = Scores({"a": Score(1, 1, 1), "b": Score(0, 1, 1)})
        >>> scores.micro.f1, scores.macro_f1
        (0.5, 0.5)

    Source:
        conlleval (micro); CLUENER2020, score.py (macro).
    """

    classes: dict[str, Score]

    @property
    def micro(self) -> Score:
        """Score of all classes counted together."""
        return total(self.classes.values())

    @property
    def macro_f1(self) -> float:
        """Mean of the F1 of the classes, each counting the same."""
        if not self.classes:
            return 0.0
        return sum(score.f1 for score in self.classes.values()) / len(self.classes)

    def to_dict(self) -> dict[str, object]:
        """Return all of it by name, for JSON."""
        classes = {name: score.to_dict() for name, score in self.classes.items()}
        micro = self.micro.to_dict()
        return {"micro": micro, "macro_f1": self.macro_f1, "classes": classes}


def total(scores: Iterable[Score]) -> Score:
    """Return the counts of all scores together.

    Args:
        scores: Any number.

    Returns:
        Their sum.

    Example:
        >>> total([Score(1, 1, 1), Score(0, 1, 0)])
        Score(correct=1, predicted=2, expected=1)

    Source:
        The definition of the micro average.
    """
    return sum(scores, Score())
