"""Vocabulary files, and what both tokenizers share."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.characters import CharRules, Control, is_cjk, is_punctuation
from kerasplm.errors import VocabError

REQUIRED_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
MASK_TOKEN = "[MASK]"

# Punctuation of Chinese typesetting (after which decode writes no space).
_CJK_PUNCTUATION = (
    "\uff01-\uff0d\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff64\u3000-\u3003"
    "\u3008-\u3011\u3014-\u301f\u3030\u303e\u303f\u2013\u2014\u2018\u2019"
    "\u201b-\u201f\u2026\u2027\ufe4f\ufe51\ufe54\u00b7"
)


def load_vocab(path: str | os.PathLike[str]) -> list[str]:
    r"""Read a vocabulary file: the token of every id, in order.

    Rows end at ``\n`` only. The Chinese vocabulary holds U+2028 as rows 343 and
    13502, which ``str.splitlines`` takes for line ends, shifting every later id.
    As in the original loaders each row is stripped, so those two rows become
    ``""`` and ``"##"``; no text can produce them.

    A file whose rows mostly hold two columns (Google ALBERT's
    ``vocab_chinese.txt``) is read as ALBERT reads it: the token is the first
    column, a blank row is the token ``" "``, a repeated token takes no id.

    Args:
        path: The vocabulary file, UTF-8, with or without a byte order mark.

    Returns:
        The tokens; the index in the list is the id.

    Raises:
        VocabError: When the file is not UTF-8, is empty, or lacks one of
            ``[PAD]``, ``[UNK]``, ``[CLS]`` and ``[SEP]``.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "vocab.txt")
        >>> _ = file.write_bytes(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xe5\xa5\xbd\n")
        >>> load_vocab(file)
        ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '好']

    Source:
        google-research/bert and google-research/albert, tokenization.py,
        ``load_vocab``.
    """
    data = Path(path).read_bytes()
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise VocabError(
            f"{path}: expected a UTF-8 vocabulary, one token per line, and found "
            f"the byte 0x{body[error.start]:02x} at offset "
            f"{error.start + len(data) - len(body)} (line {line}). Convert the file "
            "to UTF-8 first."
        ) from error
    rows = [row.strip() for row in text.removesuffix("\n").split("\n")]
    filled = [row for row in rows if row]
    if not filled:
        raise VocabError(
            f"{path}: expected one token per line and found an empty file "
            f"({len(data)} bytes)."
        )
    # A token of a one-column file may hold a space, so one such row is no proof.
    if 2 * sum(len(row.split()) > 1 for row in filled) > len(filled):
        rows = list(dict.fromkeys(row.split()[0] if row else " " for row in rows))
    _check_required(rows, str(path))
    return rows


def _check_required(tokens: Sequence[str], source: str) -> None:
    missing = sorted(set(REQUIRED_TOKENS).difference(tokens))
    if missing:
        raise VocabError(
            f"{source}: expected the tokens {', '.join(REQUIRED_TOKENS)}, and found "
            f"{len(tokens)} tokens without {', '.join(missing)}; the first ones are "
            f"{list(tokens[:5])}."
        )


@dataclass(frozen=True)
class Vocabulary:
    """Hold the tokens of a model and the ids of its special tokens.

    Args:
        tokens: The token of every id.
        source: Where they come from, for error messages.

    Raises:
        VocabError: When a required special token is missing.

    Example:
        >>> words = Vocabulary.of(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "好"])
        >>> words.id_of("好"), words.mask_id, len(words)
        (4, None, 5)
    """

    tokens: tuple[str, ...]
    source: str = "the given list of tokens"
    index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the special tokens and index the others."""
        for token in self.tokens:
            if not isinstance(token, str):
                raise VocabError(f"{self.source}: expected str, found {token!r}.")
        _check_required(self.tokens, self.source)
        # Of two equal rows the later one wins, as in the original dictionary.
        index = {token: i for i, token in enumerate(self.tokens)}
        object.__setattr__(self, "index", index)

    @classmethod
    def of(
        cls, vocab: str | os.PathLike[str] | Sequence[str] | Vocabulary
    ) -> Vocabulary:
        """Return the vocabulary of a file or of a list of tokens.

        Args:
            vocab: A path, the token of every id, or a vocabulary.

        Returns:
            The vocabulary.

        Raises:
            VocabError: As ``load_vocab``.

        Example:
            >>> len(Vocabulary.of(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
            4
        """
        if isinstance(vocab, Vocabulary):
            return vocab
        if isinstance(vocab, (str, os.PathLike)):
            return cls(tuple(load_vocab(vocab)), str(vocab))
        return cls(tuple(vocab))

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """Return the id of a token.

        Args:
            token: A token exactly as in the vocabulary, ``##`` included.

        Returns:
            Its id.

        Raises:
            VocabError: When the vocabulary does not hold it.

        Example:
            >>> Vocabulary.of(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]).id_of("[SEP]")
            3
        """
        if token not in self.index:
            raise VocabError(
                f"{self.source}: the token {token!r} is not among its {len(self)} "
                "tokens."
            )
        return self.index[token]

    @property
    def mask_id(self) -> int | None:
        """Return the id of ``[MASK]``, None where there is none (SimBERT)."""
        return self.index.get(MASK_TOKEN)


# How the tokens of a text are closed up, one after the other; then spaces are stripped.
REWRITES = (
    (" +", " "),
    (r"' (re|m|s|t|ve|d|ll) ", r"'\1 "),
    (rf"([{_CJK_PUNCTUATION}+\-/={{(<\[]) ", r"\1"),
    (r"(\d\.) (\d)", r"\1\2"),
)


def spelled(token: str) -> tuple[str, str]:
    """Return what a token adds to a text: behind an ideograph, and elsewhere.

    Example:
        >>> spelled("ok"), spelled("##ay"), spelled("[SEP]")
        (('ok', ' ok'), ('ay', 'ay'), ('', ''))
    """
    if token[:1] == "[" and token[-1:] == "]":
        return "", ""
    if token.startswith("##"):
        return token[2:], token[2:]
    if len(token) == 1 and is_cjk(token):
        return token, token
    if len(token) == 1 and is_punctuation(token):
        return token + " ", token + " "
    return token, " " + token


def decode_tokens(tokens: Iterable[str]) -> str:
    """Join tokens to readable text.

    Args:
        tokens: Tokens of a vocabulary, ``##`` pieces included.

    Returns:
        Text without ``[...]`` tokens, without spaces around ideographs, with one
        space between Latin words; contractions and decimals are closed up.

    Example:
        >>> decode_tokens(["[CLS]", "我", "爱", "ke", "##ras", "3", ".", "5"])
        '我爱keras 3.5'

    Source:
        bojone/bert4keras, tokenizers.py, ``Tokenizer.decode``.
    """
    text = ""
    for token in tokens:
        behind, elsewhere = spelled(token)
        text += behind if text and is_cjk(text[-1]) else elsewhere
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text)
    return text.strip()


class TokenizerBase:
    """What both tokenizers share: options, special ids, checks, decoding.

    Args:
        vocab: Path of the vocabulary file, or the token of every id.
        lowercase: Whether letters are lower-cased.
        strip_accents: Whether accents are removed. None: as ``lowercase``.
        control: ``"bert"``, ``"electra"`` or ``"isolate"``, see ``CharRules``.
        max_word_chars: A word of more characters becomes ``[UNK]``.
    """

    def __init__(
        self,
        vocab: str | os.PathLike[str] | Sequence[str],
        *,
        lowercase: bool,
        strip_accents: bool | None,
        control: Control,
        max_word_chars: int,
    ) -> None:
        """Read the vocabulary and resolve the options."""
        if max_word_chars < 1:
            raise ValueError(
                "max_word_chars must be positive. Received: "
                f"max_word_chars={max_word_chars}"
            )
        self._words = Vocabulary.of(vocab)
        self._rules = CharRules(lowercase, strip_accents, control)
        self._max_word_chars = max_word_chars
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = map(
            self._words.id_of, ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
        )
        self.mask_id = self._words.mask_id

    @property
    def vocab(self) -> list[str]:
        """Return the token of every id."""
        return list(self._words.tokens)

    @property
    def vocab_size(self) -> int:
        """Return the number of ids."""
        return len(self._words)

    def id_of(self, token: str) -> int:
        """Return the id of a token; VocabError when there is none."""
        return self._words.id_of(token)

    def get_config(self) -> dict[str, bool | str | int | None]:
        """Return the options of the constructor, fit for JSON, without the vocab."""
        return {
            "lowercase": self._rules.lowercase,
            "strip_accents": self._rules.strip_accents,
            "control": self._rules.control,
            "max_word_chars": self._max_word_chars,
        }

    def decode(self, ids: Any) -> list[str]:
        """Turn ids into readable text, one string per row.

        Special tokens (padding too) are left out; see ``decode_tokens``.

        Args:
            ids: Rows of ids: an array, a tensor, a ragged tensor, or lists. A
                single row of ids counts as a batch of one.

        Returns:
            The texts.

        Raises:
            ValueError: When an id lies outside the vocabulary.
        """
        rows = ids.to_list() if hasattr(ids, "to_list") else ids
        if hasattr(rows, "numpy"):
            rows = rows.numpy()
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]
        if rows and not isinstance(rows[0], (list, tuple)):
            rows = [rows]
        wrong = [i for i in chain.from_iterable(rows) if not 0 <= i < self.vocab_size]
        if wrong:
            raise ValueError(
                f"ids must be from 0 to {self.vocab_size - 1}. Received: {wrong[0]}"
            )
        return [decode_tokens(self._words.tokens[i] for i in row) for row in rows]

    def _check_options(
        self, max_length: int | None, padding: str, paired: bool
    ) -> None:
        if padding not in ("longest", "max_length"):
            raise ValueError(
                "padding must be 'longest' or 'max_length'. Received: "
                f"padding={padding!r}"
            )
        if max_length is None:
            if padding == "max_length":
                raise ValueError("padding='max_length' needs a max_length.")
            return
        least = 3 if paired else 2
        if max_length < least:
            raise ValueError(
                f"max_length must be at least {least}, the special tokens of "
                f"{'a pair' if paired else 'one text'}. Received: "
                f"max_length={max_length}"
            )

    def _check_counts(self, texts: int, pairs: int) -> None:
        if texts != pairs:
            raise ValueError(
                "pair must hold as many texts as text. Received: "
                f"{texts} texts and {pairs} pairs"
            )
