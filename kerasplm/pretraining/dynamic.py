"""Draw masks in the graph: other ones for every epoch, the same for every restart.

Letters: B instances, T tokens, P masked positions, W words.
"""

import dataclasses
from typing import Any, Literal, Self, get_args

import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.pretraining.draws import scatter_update, uniform

Tensor = Any
Unit = Literal["word", "token"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Masking:
    """How tokens are masked.

    Of n tokens, [CLS] and [SEP] counted, min(max_predictions, max(1, round(n * prob)))
    are chosen: whole words, or spans of words, in random order as long as they fit.

    Args:
        vocab_size: Random tokens are below it.
        mask_id: Id of [MASK].
        special_ids: Ids that are never masked: [CLS], [SEP], [PAD]; for ELECTRA also
            [MASK].
        max_predictions: P, the most positions of an instance.
        prob: Share of the tokens that are chosen.
        unit: "word": a word is chosen whole (`token_boundary` tells where words
            begin); "token": every token for itself.
        ngram: Most words in a span; n words are drawn with a chance proportional to
            1 / n.
        mask_share: Share of the chosen tokens that become [MASK].
        random_share: Share of the chosen tokens that become a random token; the rest
            stays as it is.
        random_ids: Ids that random tokens come from; None means all but the special
            ones and [MASK]. (The originals draw from the whole vocabulary.)
        with_replacement: Draw positions as ELECTRA's code does: one may be drawn
            twice, and counts twice in the loss. Only with unit="token" and ngram=1.
        seed: Two trainings with one seed draw the same masks.

    Raises:
        ConfigError: A number is out of range, or two options contradict each other.

    Example:
        >>> Masking(vocab_size=21128, mask_id=103, special_ids=(0, 101, 102),
        ...     max_predictions=20).budget(np.array([10, 30, 128])).numpy()
        array([ 2,  4, 19], dtype=int32)

    Source: `create_masked_lm_predictions` of google-research/bert and
    google-research/albert; `mask` of google-research/electra
    pretrain/pretrain_helpers.py.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    max_predictions: int
    prob: float = 0.15
    unit: Unit = "word"
    ngram: int = 1
    mask_share: float = 0.8
    random_share: float = 0.1
    random_ids: tuple[int, ...] | None = None
    with_replacement: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fields."""
        problems = {
            f"unit must be one of {', '.join(get_args(Unit))}": self.unit
            not in get_args(Unit),
            "prob must be above 0 and below 1": not 0 < self.prob < 1,
            "max_predictions must be at least 1": self.max_predictions < 1,
            "ngram must be at least 1": self.ngram < 1,
            "mask_share and random_share must be shares of one whole": min(
                self.mask_share, self.random_share, 1 - self.mask_share
            )
            < 0
            or self.mask_share + self.random_share > 1 + 1e-9,
            "mask_id must be in the vocabulary": not 0
            <= self.mask_id
            < self.vocab_size,
            "with_replacement draws tokens: unit='token', ngram=1": (
                self.with_replacement and (self.unit, self.ngram) != ("token", 1)
            ),
            "random_ids must hold ids of the vocabulary": self.random_ids is not None
            and not all(0 <= i < self.vocab_size for i in self.random_ids),
        }
        wrong = [problem for problem, found in problems.items() if found]
        if not wrong and self.random_share > 0 and not len(self._random_table()):
            wrong = ["there are no ids to draw random tokens from"]
        if wrong:
            raise ConfigError(f"{'; '.join(wrong)}. Received: {self}")

    @classmethod
    def electra(cls, *, with_replacement: bool = True, **fields: Any) -> Self:
        """Return the masking of ELECTRA: 85 % [MASK], the rest stays.

        Args:
            with_replacement: As in the original; False draws every position once.
            **fields: As for `Masking`.
        """
        special = {*fields.pop("special_ids"), fields["mask_id"]}
        shares: dict[str, Any] = {"mask_share": 0.85, "random_share": 0.0}
        return cls(
            **{"unit": "token", **shares, **fields},
            special_ids=tuple(sorted(special)),
            with_replacement=with_replacement,
        )

    def budget(self, lengths: Tensor) -> Tensor:
        """Return how many tokens are chosen at most of instances of n tokens."""
        # As Python rounds: halves to the even number.
        count = tf.round(tf.cast(lengths, "float64") * self.prob)
        return tf.clip_by_value(tf.cast(count, "int32"), 1, self.max_predictions)

    def seeds(self, index: Tensor, epoch: Tensor) -> Tensor:
        """Return one seed for each instance and epoch.

        Args:
            index: (B,) int64, the instance's number in the data.
            epoch: (B,) int64.

        Returns:
            (B,) int32.
        """
        return instance_seeds(self.seed, index, epoch)

    def __call__(
        self, token_ids: Tensor, lengths: Tensor, boundaries: Tensor, seeds: Tensor
    ) -> dict[str, Tensor]:
        """Mask a batch.

        Args:
            token_ids: (B, T) int32, zero behind the end.
            lengths: (B,) int32, number of tokens.
            boundaries: (B, T) int, 1 where a word begins.
            seeds: (B,) int32, from `seeds`.

        Returns:
            `token_ids` (B, T) masked, `mlm_positions`, `mlm_ids` (B, P) int32 and
            `mlm_weights` (B, P) float32; 0 in slots without a position.
        """
        length = token_ids.shape[1]
        maskable = tf.sequence_mask(lengths, length)
        for special in self.special_ids:
            maskable &= token_ids != special
        # Those of a token do not depend on how many places follow it.
        draws = uniform(seeds, (max(length, self.max_predictions), 4))
        if self.with_replacement:
            return self._drawn_twice(token_ids, lengths, maskable, draws)
        if self.unit == "token":
            boundaries = tf.ones_like(token_ids)
        budget = tf.minimum(
            self.budget(lengths), tf.reduce_sum(tf.cast(maskable, "int32"), axis=1)
        )
        word, sizes, runs = _words(maskable, boundaries)
        chosen = self._choose(
            sizes, runs, budget, draws[:, :length, 0], draws[:, :length, 1]
        )
        masked = maskable & tf.gather(chosen, word, batch_dims=1)
        what, which = draws[:, :length, 2], draws[:, :length, 3]
        new = tf.where(what < self.mask_share, self.mask_id, token_ids)
        if self.random_share > 0:
            table = tf.constant(self._random_table(), "int32")
            place = tf.cast(which * float(len(table)), "int32")
            other = (what >= self.mask_share) & (
                what < self.mask_share + self.random_share
            )
            new = tf.where(other, tf.gather(table, place), new)
        out = {"token_ids": tf.where(masked, new, token_ids)}
        return out | self._slots(masked, token_ids)

    def _random_table(self) -> np.ndarray:
        if self.random_ids is not None:
            return np.array(self.random_ids, "int32")
        special = (*self.special_ids, self.mask_id)
        return np.setdiff1d(np.arange(self.vocab_size), special).astype("int32")

    def _slots(self, masked: Tensor, token_ids: Tensor) -> dict[str, Tensor]:
        """List the masked positions in order."""
        length, slots = token_ids.shape[1], self.max_predictions
        # The leftmost have the highest rank.
        rank = tf.where(masked, length - tf.range(length), 0)
        rank, positions = tf.math.top_k(rank, k=min(slots, length))
        used = tf.cast(rank > 0, "int32")
        ids = tf.gather(token_ids, positions, batch_dims=1)
        fill = [[0, 0], [0, max(0, slots - length)]]
        return {
            "mlm_positions": tf.pad(positions * used, fill),
            "mlm_ids": tf.pad(ids * used, fill),
            "mlm_weights": tf.cast(tf.pad(used, fill), "float32"),
        }

    def _choose(
        self,
        sizes: Tensor,
        runs: Tensor,
        budget: Tensor,
        order: Tensor,
        spans: Tensor,
    ) -> Tensor:
        """Choose words in random order while they fit; return (B, W) bool.

        Args:
            sizes: (B, W) tokens of each word, 0 behind the last.
            runs: (B, W), the same number for words without a special token between.
            budget: (B,) tokens.
            order: (B, W) uniform draws, by which the words are visited.
            spans: (B, W) uniform draws of the number of words in a span.
        """
        words = sizes.shape[1]
        place = tf.range(words)[None]
        exists = sizes > 0
        visits = tf.argsort(tf.where(exists, order, 2.0), axis=1)
        count = tf.reduce_sum(tf.cast(exists, "int32"), axis=1)
        # Tokens of the first n words; words of a span, the longest allowed first.
        before = tf.pad(tf.cumsum(sizes, axis=1), [[0, 0], [1, self.ngram]])
        before = tf.where(
            tf.range(words + 1 + self.ngram)[None] > words,
            before[:, words : words + 1],
            before,
        )
        sides = tf.pad(runs, [[0, 0], [0, self.ngram]], constant_values=-1)

        def at(x: Tensor, index: Tensor) -> Tensor:
            return tf.gather(x, index, batch_dims=1)

        def visit(step: Tensor, left: Tensor, chosen: Tensor) -> tuple[Tensor, ...]:
            word = visits[:, step]
            run, start = at(runs, word), at(before, word)
            possible = [at(sides, word + n) == run for n in range(self.ngram)]
            drawn = _span(possible, at(spans, word))
            best = tf.zeros_like(word)
            for n in range(1, self.ngram + 1):
                tokens = at(before, word + n) - start
                fits = possible[n - 1] & (tokens <= left) & (n <= drawn)
                best = tf.where(fits, n, best)
            inside = (place >= word[:, None]) & (place < (word + best)[:, None])
            free = ~tf.reduce_any(inside & chosen, axis=1) & (step < count)
            inside &= free[:, None]
            taken = tf.reduce_sum(tf.where(inside, sizes, 0), axis=1)
            return step + 1, left - taken, chosen | inside

        state = (tf.constant(0), budget, tf.zeros_like(exists))
        return tf.while_loop(
            lambda step, left, _: tf.reduce_any((left > 0) & (step < count)),
            visit,
            state,
            maximum_iterations=words,
        )[2]

    def _drawn_twice(
        self, token_ids: Tensor, lengths: Tensor, maskable: Tensor, draws: Tensor
    ) -> dict[str, Tensor]:
        """Draw positions with replacement, as ELECTRA's code does."""
        slots = self.max_predictions
        count = tf.reduce_sum(tf.cast(maskable, "int32"), axis=1)
        # The original multiplies in float32.
        chosen = tf.round(tf.cast(lengths, "float32") * tf.constant(self.prob))
        chosen = tf.clip_by_value(tf.cast(chosen, "int32"), 1, slots)
        used = tf.sequence_mask(tf.where(count > 0, chosen, 0), slots)
        candidates = tf.argsort(tf.where(maskable, 0, 1), axis=1, stable=True)
        place = draws[:, :slots, 0] * tf.cast(count, "float32")[:, None]
        place = tf.cast(place, "int32")
        positions = tf.gather(candidates, place, batch_dims=1) * tf.cast(used, "int32")
        ids = tf.gather(token_ids, positions, batch_dims=1) * tf.cast(used, "int32")
        replaced = tf.where(draws[:, :slots, 1] < self.mask_share, positions, 0)
        fill = tf.fill(tf.shape(positions), self.mask_id)
        return {
            "token_ids": scatter_update(token_ids, fill, replaced)[0],
            "mlm_positions": positions,
            "mlm_ids": ids,
            "mlm_weights": tf.cast(used, "float32"),
        }


def instance_seeds(seed: int, index: Tensor, epoch: Tensor) -> Tensor:
    """Return one seed for each instance and epoch.

    Args:
        seed: Of the training.
        index: (B,) int64, the instance's number in the data.
        epoch: (B,) int64.

    Returns:
        (B,) int32.
    """
    # Three rounds of SplitMix64's finalizer: every bit of every number counts.
    value = tf.fill(tf.shape(index), tf.cast(seed, "uint64"))
    for number in (tf.zeros_like(index), index, epoch):
        value = value + tf.cast(number, "uint64") + tf.constant(_GOLDEN, "uint64")
        for shift, factor in ((30, _FIRST), (27, _SECOND)):
            value = tf.bitwise.bitwise_xor(
                value, tf.bitwise.right_shift(value, tf.constant(shift, "uint64"))
            )
            value *= tf.constant(factor, "uint64")
        value = tf.bitwise.bitwise_xor(
            value, tf.bitwise.right_shift(value, tf.constant(31, "uint64"))
        )
    return tf.cast(tf.bitwise.right_shift(value, tf.constant(33, "uint64")), "int32")


_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _words(maskable: Tensor, boundaries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number the words of each row.

    Returns:
        (B, T) the word of each token; (B, W) the size of each word in tokens; (B, W)
        the number of the run of words that it is in: special tokens end a run.
    """
    length = maskable.shape[1]
    last = tf.pad(maskable, [[0, 0], [1, 0]])[:, :-1]
    begins = maskable & ((boundaries > 0) | ~last)
    word = tf.maximum(tf.cumsum(tf.cast(begins, "int32"), axis=1) - 1, 0)
    run = tf.cumsum(tf.cast(maskable & ~last, "int32"), axis=1)
    rows = tf.range(tf.shape(word)[0])[:, None] * length + word
    total = tf.shape(word)[0] * length

    def summed(values: Tensor) -> Tensor:
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(values, [-1]), tf.reshape(rows, [-1]), total
        )
        return tf.reshape(sums, [-1, length])

    sizes = summed(tf.cast(maskable, "int32"))
    return word, sizes, summed(tf.where(begins, run, 0))


def _span(possible: list[Tensor], draw: Tensor) -> Tensor:
    """Draw a number of words, n with a chance proportional to 1 / n if possible."""
    shares = [tf.where(ok, 1.0 / (n + 1), 0.0) for n, ok in enumerate(possible)]
    # What cannot be is a longer span: the possible ones are the first.
    total = tf.add_n(shares)
    passed, drawn = tf.zeros_like(draw), tf.ones_like(draw, "int32")
    for share in shares[:-1]:
        passed += share
        drawn += tf.cast((draw * total >= passed) & (passed < total), "int32")
    return drawn
