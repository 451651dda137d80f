"""How much of the learning rate each weight gets: a factor for every path."""

import re
from collections.abc import Mapping, Sequence

from kerasplm.errors import ConfigError

_EMBEDDINGS = re.compile(r"[^/]+/embeddings/")
_BLOCK = re.compile(r"[^/]+/(layer|group)_(\d+)(?:_(\d+))?/")
_POOLER = re.compile(r"[^/]+/pooler/")


def factors(
    paths: Sequence[str],
    layerwise_decay: float | None = None,
    rate_multipliers: Mapping[str, float] | None = None,
) -> list[float]:
    """Return the factor of the learning rate of every weight.

    With n blocks, block i gets layerwise_decay ** (n + 1 - i), the embeddings
    layerwise_decay ** (n + 2), the pooler layerwise_decay, all else (the head) 1.
    ALBERT's groups count as blocks: the layers that share weights share the rate.

    Args:
        paths: `variable.path` of the weights of a model whose encoder is an
            `Encoder`: "encoder/embeddings/word", "encoder/layer_3/ffn/inner/kernel".
        layerwise_decay: In (0, 1]; ELECTRA uses 0.8, for large models 0.9. None
            gives all layers the same rate.
        rate_multipliers: Factor by regular expression, searched in the path, as
            {"crf": 100}. If several match, all of them count.

    Raises:
        ConfigError: `layerwise_decay` is out of range or there is no encoder, or a
            multiplier is negative or matches no weight.

    Example:
        >>> factors(["encoder/embeddings/word", "encoder/layer_0/ffn/inner/kernel",
        ...     "logits/kernel"], layerwise_decay=0.5)
        [0.125, 0.25, 1.0]

    Source: `_get_layer_lrs` of google-research/electra model/optimization.py;
    `extend_with_parameter_wise_lr` of bojone/bert4keras optimizers.py.
    """
    result = [1.0] * len(paths)
    if layerwise_decay is not None:
        if not 0 < layerwise_decay <= 1:
            raise ConfigError(
                f"layerwise_decay must be in (0, 1]. Received: {layerwise_decay}"
            )
        result = [layerwise_decay**exponent for exponent in _exponents(paths)]
    for pattern, multiplier in (rate_multipliers or {}).items():
        found = [n for n, path in enumerate(paths) if re.search(pattern, path)]
        if not found or multiplier < 0:
            raise ConfigError(
                "rate_multipliers must map patterns of weights to factors of at "
                f"least 0. Received: {pattern!r}: {multiplier}, which matches "
                f"{len(found)} of the {len(paths)} trained weights"
            )
        for n in found:
            result[n] *= multiplier
    return result


def _exponents(paths: Sequence[str]) -> list[int]:
    """Return the distance of every weight from the head."""
    blocks = {match.group() for path in paths if (match := _BLOCK.match(path))}
    if not blocks:
        raise ConfigError(
            "layerwise_decay: among the trained weights are no layers of an encoder "
            "(as 'encoder/layer_0/...'). Received: "
            f"{', '.join(paths[:3])} ... ({len(paths)} weights)"
        )
    place = _places(blocks)
    count = max(place.values()) + 1
    result = []
    for path in paths:
        block = _BLOCK.match(path)
        if block:
            result.append(count + 1 - place[block.group()])
        elif _EMBEDDINGS.match(path):
            result.append(count + 2)
        else:
            result.append(1 if _POOLER.match(path) else 0)
    return result


def _places(blocks: set[str]) -> dict[str, int]:
    """Number the blocks from the embeddings upwards."""

    def key(block: str) -> tuple[int, ...]:
        match = _BLOCK.match(block)
        assert match
        return tuple(int(n) for n in match.groups()[1:] if n is not None)

    if all("/layer_" in block for block in blocks):
        # By their own number: the lower ones may be frozen.
        return {block: key(block)[0] for block in blocks}
    return {block: n for n, block in enumerate(sorted(blocks, key=key))}
