"""The pre-training losses of the original code, as functions of logits."""

from typing import Any

from keras import ops

Tensor = Any


def nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-likelihood of the targets, in float32.

    Args:
        logits: (..., C) of any float type.
        targets: (...) int.
    """
    return ops.sparse_categorical_crossentropy(
        ops.cast(targets, "int32"), ops.cast(logits, "float32"), from_logits=True
    )


def replaced(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy (B, T) of ELECTRA's discriminator, in float32.

    Args:
        logits: (B, T, 1), positive = replaced.
        labels: (B, T), 1 = replaced.
    """
    logits = ops.cast(logits[..., 0], "float32")
    return ops.binary_crossentropy(ops.cast(labels, "float32"), logits, True)


def weighted(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weighted sum and the sum of the weights."""
    weights = ops.cast(weights, "float32")
    return ops.sum(values * weights), ops.sum(weights)


def masked_lm(
    logits: Tensor, token_ids: Tensor, weights: Tensor, epsilon: float = 1e-5
) -> Tensor:
    """Average the cross-entropy over the masked tokens.

    sum(weights * nll) / (sum(weights) + epsilon)

    Args:
        logits: (B, M, V).
        token_ids: (B, M), the original tokens.
        weights: (B, M), 1 = masked, 0 = padding.
        epsilon: 1e-5 in BERT's code and what grew from it, 1e-6 in ELECTRA's.

    Returns:
        A scalar.

    Example:
        >>> float(masked_lm(np.zeros((1, 1, 4)), [[2]], [[1.0]]))
        1.386280...

    Source: `get_masked_lm_output` of google-research/bert run_pretraining.py.
    """
    total, count = weighted(nll(logits, token_ids), weights)
    return total / (count + epsilon)


def sentence_pair(logits: Tensor, labels: Tensor) -> Tensor:
    """Average the cross-entropy of next-sentence or sentence-order prediction.

    Args:
        logits: (B, 2).
        labels: (B,), 1 = random or swapped.

    Returns:
        A scalar.
    """
    return ops.mean(nll(logits, labels))


def replaced_token(
    logits: Tensor, labels: Tensor, padding_mask: Tensor, epsilon: float = 1e-6
) -> Tensor:
    """Average the binary cross-entropy over all real tokens, [CLS] and [SEP] too.

    Args:
        logits: (B, T, 1), positive = replaced.
        labels: (B, T), 1 = replaced.
        padding_mask: (B, T), True = real token.
        epsilon: Added to the number of tokens.

    Returns:
        A scalar.

    Source: `_get_discriminator_output` of google-research/electra run_pretraining.py.
    """
    total, count = weighted(replaced(logits, labels), padding_mask)
    return total / (count + epsilon)
