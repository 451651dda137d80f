"""The pre-training losses of the original code, as functions of logits."""

from typing import Any

from keras import ops

Tensor = Any


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
    weights = ops.cast(weights, "float32")
    nll = ops.sparse_categorical_crossentropy(
        token_ids, ops.cast(logits, "float32"), from_logits=True
    )
    return ops.sum(weights * nll) / (ops.sum(weights) + epsilon)


def sentence_pair(logits: Tensor, labels: Tensor) -> Tensor:
    """Average the cross-entropy of next-sentence or sentence-order prediction.

    Args:
        logits: (B, 2).
        labels: (B,), 1 = random or swapped.

    Returns:
        A scalar.
    """
    return ops.mean(
        ops.sparse_categorical_crossentropy(
            labels, ops.cast(logits, "float32"), from_logits=True
        )
    )


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
    weights = ops.cast(padding_mask, "float32")
    loss = ops.binary_crossentropy(
        ops.cast(labels, "float32"), ops.cast(logits[..., 0], "float32"), True
    )
    return ops.sum(weights * loss) / (ops.sum(weights) + epsilon)
