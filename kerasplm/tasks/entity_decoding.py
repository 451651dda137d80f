"""From the outputs of a tagger to entities in tokens."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kerasplm.errors import ConfigError
from kerasplm.evaluation.tags import entities_of_tags
from kerasplm.task_models.tagging import tags_of_types
from kerasplm.tasks.entity_tokens import TokenEntity
from kerasplm.tasks.tag_decoding import PathProbability, allowed_transitions, best_tags

Found = tuple[int, TokenEntity, float]
"""Number in the batch, entity, score."""


def tagged(
    outputs: Mapping[str, np.ndarray],
    lengths: np.ndarray,
    types: Sequence[str],
    scheme: str,
    constrained: bool,
) -> Iterator[Found]:
    """Read tags: by Viterbi where there are transitions or constraints.

    Args:
        outputs: `logits` (B, T, C) and, of a CRF, `transitions` (B, C, C).
        lengths: (B,), tokens of each text.
        types: Types of entities.
        scheme: Of the tags.
        constrained: Whether only tags that the scheme knows may follow each other.

    Yields:
        Entities with the probability of their tags, without regard to constraints.

    Raises:
        ConfigError: The model has another number of tags.
    """
    logits, tags = outputs["logits"], tags_of_types(types, scheme)
    if logits.shape[-1] != len(tags):
        raise ConfigError(
            f"scheme={scheme!r}: expected a model with {len(tags)} tags for "
            f"{len(types)} types, found one with {logits.shape[-1]}"
        )
    chain = outputs["transitions"][0] if "transitions" in outputs else None
    allowed = allowed_transitions(tags, scheme) if constrained else None
    paths = best_tags(logits, lengths, chain, allowed)
    probability = PathProbability(logits, lengths, paths, chain)
    for n, (path, length) in enumerate(zip(paths, lengths, strict=True)):
        for start, end, kind in entities_of_tags([tags[t] for t in path[:length]]):
            yield n, TokenEntity(start, end, kind), probability(n, start, end)


def pointed(
    outputs: Mapping[str, np.ndarray], types: Sequence[str], threshold: float
) -> Iterator[Found]:
    """Read the spans whose score is above a threshold.

    Args:
        outputs: `scores` (B, N, T, T).
        types: Types of entities.
        threshold: Of the scores.

    Yields:
        Entities with the sigmoid of their scores.

    Raises:
        ConfigError: The model has another number of types.
    """
    scores = outputs["scores"]
    if scores.shape[1] != len(types):
        raise ConfigError(
            f"expected a model with {len(types)} types, found one with "
            f"{scores.shape[1]}"
        )
    for n, kind, first, last in np.argwhere(scores > threshold):
        score = float(scores[n, kind, first, last])
        # Written so that no power overflows.
        share = 0.5 * (1.0 + np.tanh(0.5 * score))
        entity = TokenEntity(int(first), int(last) + 1, types[kind])
        yield int(n), entity, float(share)
