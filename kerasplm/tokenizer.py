"""The original WordPiece tokenizers inside the TensorFlow graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from kerasplm import symbols as sym
from kerasplm.characters import Control
from kerasplm.plain_text import PlainText
from kerasplm.python_tokenizer import Padding
from kerasplm.strings import as_strings
from kerasplm.vocab import TokenizerBase

# No text is that long, and added to a position in a batch it does not overflow.
_NO_LIMIT = 1 << 31


def _on_cpu(function: Callable[..., Any], signature: list[tf.TensorSpec]) -> Any:
    """Compile a function that stays on the CPU, where strings are."""

    def call(*args: tf.Tensor) -> Any:
        with tf.device("CPU:0"):
            return function(*args)

    return tf.function(call, input_signature=signature, autograph=False)


def _lookup(table: sym.Paged, codes: tf.Tensor) -> tf.Tensor:
    index, pages = table
    page = tf.gather(index, tf.bitwise.right_shift(codes, 8))
    return tf.gather(pages, page * 256 + tf.bitwise.bitwise_and(codes, 255))


def _starts(lengths: tf.Tensor) -> tf.Tensor:
    """Return the row splits of rows of these lengths."""
    return tf.concat([[0], tf.cumsum(lengths)], 0)


def _canonical_order(ranks: tf.Tensor) -> tf.Tensor:
    """Sort marks by rank; nothing crosses a character of rank 0."""
    run = tf.cumsum(tf.cast(ranks == 0, tf.int64))
    return tf.argsort(run * 256 + tf.cast(ranks, tf.int64), stable=True)


class Tokenizer(TokenizerBase, tf.Module):
    """Tokenize as the original TF1 code does, in eager code, tf.data or a SavedModel.

    Equal to ``PythonTokenizer`` on every string. No operation depends on the
    Unicode version of TensorFlow: characters are looked up in tables made from
    Python's ``unicodedata``. A program that loads a SavedModel with a tokenizer
    must import ``tensorflow_text`` first.

    Args:
        vocab: Path of the vocabulary file, or the token of every id.
        lowercase: Whether letters are lower-cased.
        strip_accents: Whether text is decomposed (NFD) and loses its
            nonspacing marks. None: as ``lowercase``.
        control: What happens to control characters, see ``CharRules``. The
            options of each original are in ``kerasplm.characters.RULES``.
        max_word_chars: A word of more characters becomes ``[UNK]``.

    Raises:
        VocabError: When the vocabulary cannot be used.
        ValueError: When ``control`` is unknown.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "你", "好", "ke", "##ras"]
        >>> tokenizer = Tokenizer(vocab)
        >>> tokenizer(["你好", "Keras 好"])["token_ids"].numpy().tolist()
        [[2, 4, 5, 3, 0], [2, 6, 7, 5, 3]]

    Source:
        google-research/bert, tokenization.py, ``FullTokenizer``, and the copies
        of it named in ``RULES``.
    """

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Sequence[str],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        control: Control = "bert",
        max_word_chars: int = 200,
    ) -> None:
        """Build the tables and the WordPiece model."""
        tf.Module.__init__(self, name="tokenizer")
        TokenizerBase.__init__(
            self,
            vocab,
            lowercase=lowercase,
            strip_accents=strip_accents,
            control=control,
            max_word_chars=max_word_chars,
        )
        self._tables = sym.build_tables(self._words, self._rules)
        # Rows that no word can match may stop the builder: it gets a row with a
        # space in their place, which keeps the other ids.
        rows = [
            token
            if token.split() == [token]
            and token != "##"
            and "\0" not in token
            and self._words.index[token] == i
            else f" {i}"
            for i, token in enumerate(self._words.tokens)
        ]
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            rows,
            max_bytes_per_word=4 * max_word_chars,
            token_out_type=tf.int32,
            no_pretokenization=True,
        )
        self._plain_text = PlainText(self._words, self._rules, max_word_chars)
        # Traced once each: the options are tensors, and so is the batch size.
        text = tf.TensorSpec([None], tf.string)
        number = tf.TensorSpec([], tf.int64)
        self._graph = _on_cpu(self._tokenize, [text])
        self._encode_one = _on_cpu(
            lambda text, limit, width: self._encode_texts(text, None, limit, width),
            [text, number, number],
        )
        self._encode_pair = _on_cpu(self._encode_texts, [text, text, number, number])

    def __call__(
        self,
        text: str | Sequence[str] | tf.Tensor,
        pair: str | Sequence[str] | tf.Tensor | None = None,
        *,
        max_length: int | None = None,
        padding: Padding = "longest",
    ) -> dict[str, tf.Tensor]:
        """Encode a batch of texts, or of pairs, as the models take them.

        Args:
            text: One text (a batch of one) or B texts, UTF-8; bytes that are not
                UTF-8 are left out.
            pair: The second texts, as many as there are texts.
            max_length: Longest row, special tokens included. A text loses its
                last tokens; of a pair the longer text does, the second when
                they are equally long. None: no truncation.
            padding: ``"longest"`` pads to the longest row, ``"max_length"`` to
                ``max_length``.

        Returns:
            ``token_ids`` (B, T) int32, ``segment_ids`` (B, T) int32 (1 for the
            second text and its ``[SEP]``), ``padding_mask`` (B, T) bool, True at
            real tokens.

        Raises:
            ValueError: When the options contradict each other, or the numbers
                of texts and pairs are known to differ.
        """
        self._check_options(max_length, padding, pair is not None)
        texts = [as_strings(text)]
        if pair is not None:
            texts.append(as_strings(pair))
            count, pairs = (tensor.shape[0] for tensor in texts)
            if count is not None and pairs is not None:
                self._check_counts(count, pairs)
        fixed = max_length if padding == "max_length" else None
        encode = self._encode_one if pair is None else self._encode_pair
        limit = _NO_LIMIT if max_length is None else max_length
        outputs: dict[str, tf.Tensor] = encode(
            *texts, limit, -1 if fixed is None else fixed
        )
        for output in outputs.values():
            output.set_shape([texts[0].shape[0], fixed])
        return outputs

    def _encode_texts(
        self,
        text: tf.Tensor,
        pair: tf.Tensor | None,
        limit: tf.Tensor,
        width: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Tokenize, truncate, frame and pad; a width of -1 is the longest row."""
        batch = tf.shape(text)[0]
        cls, sep = (tf.fill([batch, 1], i) for i in (self.cls_id, self.sep_id))
        first = self._graph(text)
        if pair is None:
            first = first[:, : limit - 2]
            ids = tf.concat([cls, first, sep], 1)
        else:
            equal = tf.debugging.assert_equal(
                batch, tf.shape(pair)[0], "as many texts as second texts are needed"
            )
            with tf.control_dependencies([equal]):
                pair = tf.identity(pair)
            first, second = _truncate_pair(first, self._graph(pair), limit - 3)
            ids = tf.concat([cls, first, sep, second, sep], 1)
        # A batch of no texts has a width too: models look at the first token.
        least = tf.constant(2 if pair is None else 3, tf.int64)
        longest = tf.maximum(ids.bounding_shape(1), least)
        width = tf.where(width < 0, longest, width)
        token_ids = ids.to_tensor(self.pad_id, shape=tf.stack([-1, width]))
        place = tf.range(tf.shape(token_ids, tf.int64)[1])
        mask = place < ids.row_lengths()[:, None]
        is_second = place >= first.row_lengths()[:, None] + 2
        return {
            "token_ids": token_ids,
            "segment_ids": tf.cast(mask & is_second, tf.int32),
            "padding_mask": mask,
        }

    def tokenize(self, texts: str | Sequence[str] | tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of each text, without special tokens.

        Args:
            texts: One text (a batch of one) or B texts.

        Returns:
            Ids, ragged (B, None) int32.
        """
        return self._graph(as_strings(texts))

    def _tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        ids, plain = self._plain_text(text)
        return tf.cond(
            tf.reduce_all(plain),
            lambda: ids,
            lambda: self._with_others(ids, text, plain),
        )

    def _with_others(
        self, ids: tf.RaggedTensor, text: tf.Tensor, plain: tf.Tensor
    ) -> tf.RaggedTensor:
        """Fill the rows of the texts that are not plain."""
        rows = tf.where(~plain)
        found = self._tokenize_any(tf.gather_nd(text, rows))
        lengths = tf.scatter_nd(rows, found.row_lengths(), tf.shape(text, tf.int64))
        others = tf.RaggedTensor.from_row_lengths(found.values, lengths, validate=False)
        return tf.concat([ids, others], 1)

    def _tokenize_any(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenize texts of any characters."""
        # The space ends every row, so that no word runs on into the next one.
        text = tf.strings.join([text, " "])
        chars = tf.strings.unicode_decode(text, "UTF-8", errors="ignore")
        codes, splits = chars.values, chars.row_splits
        symbols = _lookup(self._tables.symbols, codes)
        symbols = tf.where(symbols < sym.LETTERS, symbols - codes, symbols)
        rare = (symbols < sym.SPACE) & (symbols > sym.LETTERS)
        symbols, splits = tf.cond(
            tf.reduce_any(rare),
            lambda: self._rewrite(codes, symbols, splits),
            lambda: (symbols, splits),
        )
        # Runs of letters are words; every other symbol but space is one token.
        place = tf.where(symbols < sym.LETTERS)[:, 0]
        opens = tf.concat([[True], place[1:] != place[:-1] + 1], 0)[: tf.size(place)]
        opens = tf.where(opens)[:, 0]
        letters = tf.gather(sym.LETTER - symbols, place)
        words = tf.RaggedTensor.from_row_splits(
            letters, tf.concat([opens, [tf.size(place, tf.int64)]], 0), validate=False
        )
        too_long = words.row_lengths() > self._max_word_chars
        words = tf.strings.unicode_encode(words, "UTF-8")
        pieces = self._wordpiece.tokenize(tf.where(too_long, "[UNK]", words))
        # Where the tokens of each symbol go.
        counts = tf.tensor_scatter_nd_update(
            tf.cast(symbols >= 0, tf.int64),
            tf.gather(place, opens)[:, None],
            pieces.row_lengths(),
        )
        starts = _starts(counts)
        alone = tf.where(symbols >= 0)[:, 0]
        shift = tf.gather(starts, tf.gather(place, opens)) - pieces.row_starts()
        piece_places = tf.gather(shift, pieces.value_rowids())
        piece_places += tf.range(tf.size(pieces.values, tf.int64))
        ids = tf.dynamic_stitch(
            [
                tf.cast(tf.gather(starts, alone), tf.int32),
                tf.cast(piece_places, tf.int32),
            ],
            [tf.gather(symbols, alone), pieces.values],
        )
        return tf.RaggedTensor.from_row_splits(
            ids, tf.gather(starts, splits), validate=False
        )

    def _rewrite(
        self, codes: tf.Tensor, symbols: tf.Tensor, splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Spell out complex characters, drop what the rules drop."""
        symbols, splits = tf.cond(
            tf.reduce_any((symbols <= sym.COMPLEX) & (symbols > sym.LETTERS)),
            lambda: self._spell_out(codes, symbols, splits),
            lambda: (symbols, splits),
        )
        kept = (symbols != sym.DROP) & (symbols != sym.BARRIER)
        splits = tf.gather(_starts(tf.cast(kept, tf.int64)), splits)
        return tf.boolean_mask(symbols, kept), splits

    def _spell_out(
        self, codes: tf.Tensor, symbols: tf.Tensor, splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Write every character of the complex ones, their marks in order."""
        parts, ranks = self._tables.parts, self._tables.ranks
        if self._rules.lowercase:
            symbols = self._final_sigmas(codes, symbols)
        is_complex = (symbols <= sym.COMPLEX) & (symbols > sym.LETTERS)
        row = tf.where(is_complex, sym.COMPLEX - symbols, 0)
        fill = [[0, 0], [0, parts.shape[1] - 1]]
        spelled = tf.where(
            is_complex[:, None],
            tf.gather(parts, row),
            tf.pad(symbols[:, None], fill, constant_values=sym.DROP),
        )
        ranks = tf.where(is_complex[:, None], tf.gather(ranks, row), 0)
        present = spelled != sym.DROP
        splits = tf.gather(_starts(tf.math.count_nonzero(present, 1)), splits)
        symbols, ranks = spelled[present], ranks[present]
        return tf.cond(
            tf.reduce_any(ranks > 0),
            lambda: tf.gather(symbols, _canonical_order(ranks)),
            lambda: symbols,
        ), splits

    def _final_sigmas(self, codes: tf.Tensor, symbols: tf.Tensor) -> tf.Tensor:
        """Write ς for Σ behind a cased and before no cased letter."""
        cases = _lookup(self._tables.cases, codes)
        seen = tf.where((cases != sym.IGNORABLE) & (symbols != sym.DROP))[:, 0]
        cased = tf.gather(cases, seen) == sym.CASED
        before = tf.concat([[False], cased[:-1]], 0)
        after = tf.concat([cased[1:], [False]], 0)
        final = (tf.gather(codes, seen) == sym.SIGMA) & before & ~after
        place = tf.boolean_mask(seen, final)[:, None]
        return tf.tensor_scatter_nd_update(
            symbols, place, tf.fill(tf.shape(place)[:1], sym.LETTER - sym.FINAL_SIGMA)
        )


def _truncate_pair(
    first: tf.RaggedTensor, second: tf.RaggedTensor, budget: tf.Tensor
) -> tuple[tf.RaggedTensor, ...]:
    """Shorten ragged rows as ``pair_lengths`` does."""
    a, b = first.row_lengths(), second.row_lengths()
    keep_a = tf.minimum(a, tf.maximum(budget - budget // 2, budget - b))
    keep_b = tf.minimum(b, tf.maximum(budget // 2, budget - a))
    return tuple(
        tf.RaggedTensor.from_tensor(rows[:, :budget].to_tensor(), lengths=keep)
        for rows, keep in ((first, keep_a), (second, keep_b))
    )
