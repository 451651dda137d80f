"""What a model reads before it generates."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kerasplm.errors import DataError
from kerasplm.seq2seq.model import Seq2Seq


def is_causal(model: keras.Model) -> bool:
    """Tell whether a model continues its source."""
    return not isinstance(model, Seq2Seq) and model.encoder.config.attention == "causal"


def tokens_of(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text, without special tokens."""
    rows = tokenizer.tokenize([text])
    return list((rows.to_list() if hasattr(rows, "to_list") else rows)[0])


def source_ids(
    model: keras.Model, tokenizer: Any, text: Any, number: int, longest: int | None
) -> list[int]:
    """Return the source as the model reads it.

    Args:
        model: As for `generate`.
        tokenizer: From `load_tokenizer`.
        text: A text, or two.
        number: Of the text, for messages.
        longest: Tokens that are kept; what is to be continued keeps its end, anything
            else its beginning. None keeps all.

    Raises:
        DataError: It is no text.
    """
    parts = [text] if isinstance(text, str) else text
    if not isinstance(parts, list | tuple) or not all(
        isinstance(part, str) for part in parts
    ):
        raise DataError(
            f"text {number}: expected a string or two, found {type(text).__name__}"
        )
    if not 1 <= len(parts) <= 2:
        raise DataError(f"text {number}: expected one text or two, found {len(parts)}")
    ids = [tokenizer.cls_id]
    for part in parts:
        ids += [*tokens_of(tokenizer, part), tokenizer.sep_id]
    causal = is_causal(model)
    ids = ids[:-1] if causal else ids
    if longest is None or len(ids) <= longest:
        return ids
    return ids[:1] + ids[1 - longest :] if causal else ids[: longest - 1] + ids[-1:]


def check_room(
    model: keras.Model, ids: Sequence[int], number: int, max_length: int
) -> None:
    """Make sure that the model has positions for a source and what follows.

    Raises:
        DataError: It has not.
    """
    limit = None if isinstance(model, Seq2Seq) else model.encoder.config.max_positions
    # The last token that is generated is not read again.
    if limit is not None and len(ids) + max_length - 1 > limit:
        raise DataError(
            f"text {number}: {len(ids)} tokens and max_length={max_length} are more "
            f"than the {limit} positions of the model; pass a smaller max_length or "
            "max_source_length"
        )


def batch_of(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, np.ndarray]:
    """Return rows of ids as one batch, padded at the end.

    Args:
        rows: B rows of ids; all of them segment 0.
        pad_id: Id of padding.

    Returns:
        `token_ids`, `segment_ids` and `padding_mask`, (B, S) each.
    """
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max())[None] < lengths[:, None]
    ids = np.full(mask.shape, pad_id, "int32")
    ids[mask] = np.concatenate(rows)
    segments = np.zeros_like(ids)
    return {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}
