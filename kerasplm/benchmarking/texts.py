"""Texts to measure with: the user's own, or sentences of the small data set."""

import math
import random
from pathlib import Path

from kerasplm.errors import DataError

# Characters of a text: the logarithms are normal. The mean is about 46.
MEDIAN, SPREAD, SHORTEST, LONGEST = 32, 0.85, 2, 400


def read(path: str, count: int | None) -> list[str]:
    """Read texts, one on a line; lines without text are left out.

    Args:
        path: A UTF-8 file.
        count: At most so many, the first ones; None means all.

    Raises:
        DataError: The file is not UTF-8 or holds no text.
    """
    found: list[str] = []
    try:
        with open(Path(path).expanduser(), encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                if len(found) == count:
                    break
                if line.strip():
                    found.append(line.strip())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from error
    if not found:
        raise DataError(f"{path}: expected texts, one on a line, found none")
    return found


def generated(count: int, seed: int = 0) -> list[str]:
    """Return Chinese texts whose lengths are spread as those of real ones.

    Sentences of the package's own small data set are strung together and cut at
    lengths from a log-normal distribution: many short texts and a few long ones.

    Args:
        count: How many.
        seed: The same seed gives the same texts.

    Example:
        >>> texts = generated(100)
        >>> len(texts), texts == generated(100)
        (100, True)
    """
    from kerasplm.demo import REVIEWS

    lines = (REVIEWS / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sentences = [line.split("\t")[1] for line in lines]
    draws = random.Random(seed)
    texts = []
    for _ in range(count):
        drawn = round(draws.lognormvariate(math.log(MEDIAN), SPREAD))
        length, text = min(max(drawn, SHORTEST), LONGEST), ""
        while len(text) < length:
            text += draws.choice(sentences)
        texts.append(text[:length])
    return texts
