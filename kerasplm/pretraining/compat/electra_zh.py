"""The copy of ELECTRA's creator in ymcui/Chinese-ELECTRA, with its inverted tests."""

from __future__ import annotations

import functools
import random

from kerasplm.pretraining.compat import electra
from kerasplm.pretraining.compat.documents import Sentence
from kerasplm.pretraining.compat.electra import features

__all__ = ["features", "instances", "joins_first"]


def joins_first(
    first: Sentence,
    second: Sentence,
    sentence: Sentence,
    goal: int,
    rng: random.Random,
) -> bool:
    """Tell whether a sentence joins the first segment, as the copy does.

    It asks whether a segment has text where the original asks whether it has none:
    once the first segment has a sentence, it gets all that follow.

    Args:
        first: Tokens of the first segment so far.
        second: Tokens of the second segment so far.
        sentence: The next sentence.
        goal: Tokens that the first segment should have.
        rng: Draws only when the second segment has text and the first has none.

    Returns:
        Whether it does.

    Source:
        ymcui/Chinese-ELECTRA, build_pretraining_dataset.py, ``_create_example``.
    """
    if first or len(first) + len(sentence) < goal:
        return True
    return bool(second) and len(first) < goal and rng.random() < 0.5


instances = functools.partial(electra.instances, joins=joins_first)
"""``electra.instances`` with the inverted tests."""
