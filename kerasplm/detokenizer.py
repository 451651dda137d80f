"""Ids to text inside the TensorFlow graph."""

from typing import Any

import tensorflow as tf

from kerasplm.characters import is_cjk
from kerasplm.vocab import REWRITES, spelled


class Detokenizer(tf.Module):
    """Turn ids into readable text, as `decode` of a tokenizer does.

    A token adds one of two strings to a text, by whether an ideograph stands before
    it, which the last token that added anything tells. What Python calls a digit or a
    space is listed in the patterns, as far as the vocabulary holds it.

    Args:
        vocab: The token of every id.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "你", "ke", "##ras"]
        >>> texts = Detokenizer(vocab)(tf.constant([[4, 5, 6, 3]]), tf.constant([4]))
        >>> texts.numpy()[0].decode()
        '你keras'
    """

    def __init__(self, vocab: list[str]) -> None:
        super().__init__(name="detokenizer")
        pairs = [spelled(token) for token in vocab]
        # The second half of the rows is for tokens behind an ideograph.
        self._strings = [pair[1] for pair in pairs] + [pair[0] for pair in pairs]
        # -1: the token changes nothing of what stands before the next one.
        self._ideographs = [
            int(is_cjk(behind[-1])) if behind else -1 for behind, _ in pairs
        ]
        characters = sorted(set("".join(vocab)) | {" "})
        self._digits = _class(filter(str.isdecimal, characters))
        self._spaces = _class(filter(str.isspace, characters))

    def __call__(self, ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the texts.

        Args:
            ids: (..., G) int32, G known.
            lengths: (...) int32, how many of the G count.

        Returns:
            Strings (...), UTF-8.
        """
        with tf.device("CPU:0"):
            room = ids.shape[-1]
            marks = tf.gather(tf.constant(self._ideographs, tf.int32), ids)
            place = tf.range(room)
            last = tf.where(marks >= 0, 2 * place + marks, -1)
            # The last mark before each place: a running maximum, in log2(G) steps.
            last = _moved(last, 1)
            for step in (2**n for n in range(room.bit_length())):
                last = tf.maximum(last, _moved(last, step))
            behind = tf.cast((last >= 0) & (last % 2 == 1), tf.int32)
            rows = ids + behind * len(self._ideographs)
            parts = tf.gather(tf.constant(self._strings), rows)
            parts = tf.where(place < lengths[..., None], parts, "")
            text = tf.strings.reduce_join(parts, axis=-1)
            for pattern, replacement in REWRITES:
                if r"\d" in pattern:
                    if self._digits is None:
                        continue
                    pattern = pattern.replace(r"\d", self._digits)
                text = tf.strings.regex_replace(text, pattern, replacement)
            ends = f"^{self._spaces}+|{self._spaces}+$"
            return tf.strings.regex_replace(text, ends, "")


def _moved(x: tf.Tensor, step: int) -> tf.Tensor:
    """Move the last axis to the right; -1 comes in."""
    kept = x[..., : max(x.shape[-1] - step, 0)]
    fill = tf.fill(tf.concat([tf.shape(x)[:-1], [min(step, x.shape[-1])]], 0), -1)
    return tf.concat([fill, kept], axis=-1)


def _class(characters: Any) -> str | None:
    """Return a pattern for one of these characters; None if there are none."""
    codes = "".join(rf"\x{{{ord(character):x}}}" for character in characters)
    return f"[{codes}]" if codes else None
