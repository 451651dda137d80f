"""Turn examples into batches that hold little padding."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from kerasplm.tasks.reading import Examples

Order = Literal["shuffled", "file", "length"]
_CHUNK = 1024
# Sorting this many batches at a time keeps padding low and the order random.
_WINDOW = 50


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Token ids of all examples, one after the other, without padding.

    Args:
        token_ids: (tokens of all examples,) int32.
        segment_ids: The same shape, int8.
        starts: (examples + 1,), where each example begins.
        labels: (examples,) int32, or None.
        pad_id: Id of padding.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    starts: np.ndarray
    labels: np.ndarray | None
    pad_id: int

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each example."""
        return np.diff(self.starts)

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], Any]:
        """Return the rows padded to the longest of them, and their labels."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max())[None] < lengths[:, None]
        at = np.concatenate([np.arange(*self.starts[r : r + 2]) for r in rows])
        token_ids = np.full(mask.shape, self.pad_id, "int32")
        segment_ids = np.zeros(mask.shape, "int32")
        token_ids[mask] = self.token_ids[at]
        segment_ids[mask] = self.segment_ids[at]
        inputs = {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": mask,
        }
        return inputs, None if self.labels is None else self.labels[rows]


def encode(examples: Examples, tokenizer: Any, max_length: int) -> Encoded:
    """Tokenize all examples once.

    Args:
        examples: Texts and labels.
        tokenizer: `Tokenizer` or `PythonTokenizer`.
        max_length: Longer inputs are truncated, special tokens included.
    """
    ids, segments, lengths = [], [], []
    for start in range(0, len(examples), _CHUNK):
        part = slice(start, start + _CHUNK)
        pairs = None if examples.pairs is None else list(examples.pairs[part])
        batch = tokenizer(list(examples.texts[part]), pairs, max_length=max_length)
        mask = np.asarray(batch["padding_mask"])
        ids.append(np.asarray(batch["token_ids"])[mask])
        segments.append(np.asarray(batch["segment_ids"])[mask].astype("int8"))
        lengths.append(mask.sum(1))
    return Encoded(
        token_ids=np.concatenate(ids).astype("int32"),
        segment_ids=np.concatenate(segments),
        starts=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]),
        labels=None if examples.labels is None else np.array(examples.labels, "int32"),
        pad_id=tokenizer.pad_id,
    )


def batches_of(
    lengths: np.ndarray, batch_size: int, order: Order, seed: Sequence[int] = (0,)
) -> list[np.ndarray]:
    """Divide examples into batches.

    Args:
        lengths: Tokens of each example.
        batch_size: Examples per batch; the last batch may be smaller.
        order: "shuffled" draws a random order and then sorts windows of it by
            length; "length" sorts all; "file" keeps the order.
        seed: Of the random order: the same seed gives the same batches.

    Returns:
        Row numbers of each batch.
    """
    count = len(lengths)
    if order == "file":
        rows = np.arange(count)
    elif order == "length":
        rows = np.argsort(lengths, kind="stable")
    else:
        rng = np.random.default_rng(seed)
        rows = rng.permutation(count)
        window = batch_size * _WINDOW
        parts = [rows[n : n + window] for n in range(0, count, window)]
        rows = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in parts])
    found = [rows[n : n + batch_size] for n in range(0, count, batch_size)]
    if order == "shuffled":
        found = [found[n] for n in rng.permutation(len(found))]
    return found


def dataset_of(
    encoded: Encoded, epochs: Iterable[list[np.ndarray]], in_one_pass: bool = False
) -> tf.data.Dataset:
    """Return batches as `tf.data`.

    Args:
        encoded: The examples.
        epochs: Row numbers of the batches of each epoch.
        in_one_pass: Whether one iteration of the dataset goes through all epochs; if
            not, each iteration takes the next one.
    """
    source: Iterator[list[np.ndarray]] = iter(epochs)

    def generate() -> Iterator[Any]:
        plan = itertools.chain.from_iterable(source) if in_one_pass else next(source)
        for rows in plan:
            inputs, labels = encoded.batch(rows)
            yield inputs if labels is None else (inputs, labels)

    ids = tf.TensorSpec([None, None], tf.int32)
    inputs = {
        "token_ids": ids,
        "segment_ids": ids,
        "padding_mask": tf.TensorSpec([None, None], tf.bool),
    }
    labelled = (inputs, tf.TensorSpec([None], tf.int32))
    signature = inputs if encoded.labels is None else labelled
    data = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return data.prefetch(tf.data.AUTOTUNE)
