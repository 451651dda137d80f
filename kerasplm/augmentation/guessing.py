"""Ask a masked language model for the best tokens at masks, many texts at once."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.exporting import check_length
from kerasplm.heads import PretrainedModel
from kerasplm.tasks.features import joined
from kerasplm.tasks.graphs import Graph, each
from kerasplm.tasks.kinds.base import with_offsets
from kerasplm.vocab import MASK_TOKEN
from kerasplm.vocabulary_tools import check_vocab

_LONGEST = 512


@dataclasses.dataclass(frozen=True, slots=True)
class Masked:
    """A piece of a text with masks.

    Args:
        ids: Its tokens with the masks, without special tokens.
        original: The same tokens as they were.
        places: Which of `ids` are asked for.
    """

    ids: Sequence[int]
    original: Sequence[int]
    places: Sequence[int]


Best = tuple[np.ndarray, np.ndarray]
"""Scores (places, K), falling, and the tokens; scores are log probabilities."""


class Guesser:
    """Give the best tokens at masks, with the original text as context.

    The model sees "[CLS] masked [SEP] original [SEP]"; one that knows a single
    segment sees the masked text only. The MLM head runs at the masks only, and
    sequences of similar length run together.

    Args:
        model: A `PretrainedModel` with an MLM head.
        tokenizer: From `load_tokenizer`.
        allowed: Ids of the tokens to choose from.
        count: How many tokens to give for each mask.
        max_length: Tokens per sequence; default is as many as the model takes, 512
            at most.

    Raises:
        ConfigError: The model has no MLM head, or the vocabulary no [MASK].
        VocabError: The vocabulary does not fit the model.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        allowed: Sequence[int],
        count: int,
        max_length: int | None = None,
    ) -> None:
        check_model(model, tokenizer)
        config = model.encoder.config
        limit = check_length(config, max_length)
        self.model = model
        self.tokenizer = with_offsets(tokenizer)
        self.allowed = np.array(allowed, "int32")
        self.count = min(count, len(allowed))
        self.paired = config.type_vocab_size > 1
        length = max_length or min(limit or _LONGEST, _LONGEST)
        self.room = (length - 3) // 2 if self.paired else length - 2
        """Tokens that a piece of text may have."""
        if self.room < 1:
            raise ConfigError(f"max_length must be at least 5. Received: {length}")
        self._best = Graph(self._candidates)

    def __call__(self, asked: Sequence[Masked], batch_size: int) -> list[Best]:
        """Return the best tokens at each place of each piece.

        Args:
            asked: The pieces, at most `room` tokens each.
            batch_size: Sequences that run at once.
        """
        found: list[Any] = [None] * len(asked)
        features = joined([self._sequence(x) for x in asked], self.tokenizer.pad_id)
        spec = tf.TensorSpec([None], tf.int32)
        signature = features.signature

        def ask(chosen: np.ndarray) -> Any:
            inputs = features.inputs(chosen)
            pieces = [asked[n] for n in chosen]
            sizes = [len(piece.places) for piece in pieces]
            rows = np.repeat(np.arange(len(pieces), dtype="int32"), sizes)
            places = np.concatenate([np.array(x.places, "int32") for x in pieces]) + 1
            best = self._best([signature, spec, spec], inputs, rows, places)
            ends = np.cumsum(sizes)[:-1]
            return [np.split(np.asarray(x), ends) for x in best]

        for chosen, best in each(features, batch_size, ask):
            for n, scores, tokens in zip(chosen, *best, strict=True):
                found[n] = scores, tokens
        return found

    def _sequence(self, piece: Masked) -> tuple[list[int], list[int]]:
        own = self.tokenizer
        first = [own.cls_id, *piece.ids, own.sep_id]
        if not self.paired:
            return first, [0] * len(first)
        second = [*piece.original, own.sep_id]
        return first + second, [0] * len(first) + [1] * len(second)

    def _candidates(self, inputs: Any, rows: Any, places: Any) -> Any:
        model = self.model
        encoded = model.encoder(inputs, training=False, skip_padding=True)
        sequence = encoded["sequence_output"]
        masks = tf.gather_nd(sequence, tf.stack([rows, places], 1))
        logits = model.heads["mlm"].logits(masks, model.encoder.embeddings)
        shares = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        best, at = tf.math.top_k(tf.gather(shares, self.allowed, axis=-1), self.count)
        return best, tf.gather(self.allowed, at)


def check_model(model: keras.Model, tokenizer: Any) -> None:
    """Check that the model guesses words of the tokenizer's vocabulary.

    Raises:
        ConfigError: The model has no MLM head, or the vocabulary no [MASK].
        VocabError: The vocabulary does not fit the model.
    """
    held = getattr(model, "heads", ())
    if not isinstance(model, PretrainedModel) or "mlm" not in held:
        hint = "; ELECTRA's generator has one: part='generator'" * ("rtd" in held)
        raise ConfigError(
            "augmentation needs a PretrainedModel with an MLM head, from "
            f"load(x, heads='pretraining'), found a {type(model).__name__} with heads: "
            f"{', '.join(held) or 'none'}{hint}"
        )
    check_vocab(tokenizer, model.encoder)
    if tokenizer.mask_id is None:
        raise ConfigError(f"augmentation: the vocabulary has no {MASK_TOKEN}")
