"""`generate` as one graph: strings in, strings out."""

from typing import Any

import keras
import tensorflow as tf

from kerasplm.detokenizer import Detokenizer
from kerasplm.errors import ConfigError
from kerasplm.generation.decoder import Decoder
from kerasplm.generation.draws import draws
from kerasplm.generation.settings import Decoding
from kerasplm.generation.sources import is_causal
from kerasplm.generation.texts import next_token
from kerasplm.seq2seq.model import Seq2Seq


class GraphGenerator:
    """Read texts, generate and write texts, in graphs only.

    Args:
        model: As for `generate`.
        tokenizer: The in-graph tokenizer.
        decoding: How tokens are chosen.
        start_id: Token with which the target of a `Seq2Seq` begins.
        max_source_length: Longer sources are truncated, as `generate` does; None: as
            many tokens as leave room for the target, if anything limits them.

    Raises:
        ConfigError: The model cannot generate, or has too few positions.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        decoding: Decoding,
        start_id: int,
        max_source_length: int | None,
    ) -> None:
        steps = next_token(model, start_id)
        self._decoder = Decoder(steps, decoding, started=isinstance(model, Seq2Seq))
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer.vocab)
        self._decoding = decoding
        self._causal = is_causal(model)
        self.longest = _longest(model, decoding.max_length, max_source_length)
        """Tokens that are read of a source, or None."""

    def sources(
        self, text: tf.Tensor, pair: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Return texts, or pairs, as the model reads them, (B, S) each."""
        tokenizer = self._tokenizer
        count = tf.shape(text)[0]
        cls, sep = (
            tf.fill([count, 1], i) for i in (tokenizer.cls_id, tokenizer.sep_id)
        )
        body = tokenizer.tokenize(text)
        if pair is not None:
            body = tf.concat([body, sep, tokenizer.tokenize(pair)], 1)
        if self.longest is not None and self._causal:
            # What is to be continued keeps its end, anything else its beginning.
            kept = tf.maximum(body.row_lengths() - (self.longest - 1), 0)
            place = tf.ragged.range(body.row_lengths())
            body = tf.ragged.boolean_mask(body, place >= kept[:, None])
        elif self.longest is not None:
            body = body[:, : self.longest - 2]
        ids = tf.concat([cls, body] if self._causal else [cls, body, sep], 1)
        width = tf.maximum(ids.bounding_shape(1), 1)
        token_ids = ids.to_tensor(tokenizer.pad_id, shape=tf.stack([-1, width]))
        mask = tf.range(width) < ids.row_lengths()[:, None]
        segments = tf.zeros_like(token_ids)
        return {
            "token_ids": token_ids,
            "segment_ids": segments,
            "padding_mask": mask,
        }

    def __call__(
        self,
        text: tf.Tensor,
        pair: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return what `generate` returns for these texts.

        Args:
            text: (B,) strings.
            pair: (B,) strings, the second texts, or None.
            seed: A scalar, int64: as for `generate`; needed to draw.

        Returns:
            (B,) strings, or (B, W) where several samples are drawn.
        """
        decoding, width = self._decoding, self._decoding.width
        inputs = self.sources(text, pair)
        count = tf.shape(text)[0]
        rows = tf.stack([count * width, decoding.max_length])
        if decoding.samples is None:
            drawn = tf.zeros(rows)
        else:
            numbers = tf.range(tf.cast(count, tf.int64))
            check = tf.debugging.assert_non_negative(seed, "seed must not be negative")
            with tf.control_dependencies([check]):
                seed = tf.identity(seed)
            drawn = draws(seed, numbers, width * decoding.max_length)
            drawn = tf.reshape(drawn, rows)
        limits = {k: tf.constant(x) for k, x in decoding.limits().items()}
        given = {"inputs": inputs, "draws": drawn, "limits": limits}
        tokens, lengths, _ = self._decoder._loop(given)
        tokens = tf.ensure_shape(tokens, [None, None, decoding.max_length])
        texts = self._detokenizer(tokens, lengths)
        return texts if (decoding.samples or 1) > 1 else texts[:, 0]


def _longest(model: keras.Model, max_length: int, asked: int | None) -> int | None:
    """Return how many tokens of a source are read.

    Raises:
        ConfigError: The model has not enough positions.
    """
    limit = None if isinstance(model, Seq2Seq) else model.encoder.config.max_positions
    # The last token that is generated is not read again.
    room = None if limit is None else limit - max_length + 1
    longest = room if asked is None else asked
    if longest is None:
        return None
    if longest < 3 or (room is not None and longest > room):
        raise ConfigError(
            f"max_source_length={asked} and max_length={max_length}: expected at least "
            f"3 tokens of a source and no more than the {limit} positions of the model "
            "together"
            if room is not None
            else f"max_source_length must be at least 3. Received: {asked}"
        )
    return longest
