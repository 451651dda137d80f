"""Simplify or extend a vocabulary, and check that it fits a model."""

import dataclasses
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras

from kerasplm.characters import is_cjk, is_punctuation
from kerasplm.checkpoint import Weights, body_of, heads_of
from kerasplm.config import AttentionKind
from kerasplm.errors import VocabError
from kerasplm.families import FAMILIES, Family, Match
from kerasplm.networks import network_of
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.vocab import MASK_TOKEN, REQUIRED_TOKENS
from kerasplm.vocabulary_rows import check_ids

_CONTINUES = "##"


def simplify_vocab(
    tokens: Sequence[str], first: Sequence[str] = (*REQUIRED_TOKENS, MASK_TOKEN)
) -> tuple[list[str], list[int]]:
    """Drop the tokens that Chinese text never needs: a third of BERT's 21128.

    Dropped are tokens of more than one character (with the leading "##") in which,
    the "##" aside, an ideograph or a punctuation character stands: "##的", "[unused7]".

    Args:
        tokens: The token of every id, such as `tokenizer.vocab`.
        first: These get the ids 0, 1, ..., whatever the rule says of them.

    Returns:
        The tokens of the new vocabulary, and the id that each had: what `load` and
        `load_tokenizer` take as `keep_tokens`.

    Raises:
        VocabError: One of `first` is not in the vocabulary, or stands there twice.

    Example:
        >>> simplify_vocab(["[PAD]", "a", "##a", "的", "##的"], first=["[PAD]"])
        (['[PAD]', 'a', '##a', '的'], [0, 1, 2, 3])

    Source: `load_vocab(simplified=True)` of bojone/bert4keras tokenizers.py.
    """
    index = {token: i for i, token in enumerate(tokens)}  # the later of equal ones
    if len(set(first)) != len(first):
        raise VocabError(f"first: expected each token once, found {list(first)}")
    missing = [token for token in first if token not in index]
    if missing:
        raise VocabError(
            f"first: expected tokens of the vocabulary, found {', '.join(missing)}, "
            f"not among its {len(tokens)} tokens"
        )
    head = set(first)
    rest = sorted(i for token, i in index.items() if token not in head)
    keep = [index[token] for token in first]
    keep += [i for i in rest if len(tokens[i]) < 2 or _is_plain(tokens[i])]
    return [tokens[i] for i in keep], keep


def _is_plain(token: str) -> bool:
    stem = token.removeprefix(_CONTINUES)
    return not any(is_cjk(char) or is_punctuation(char) for char in stem)


def extend_vocab(
    tokenizer: Any, new_tokens: Iterable[str]
) -> tuple[list[str], list[list[int]]]:
    """Find of which known tokens the rows of new ones are to be averaged.

    For continued pre-training with more tokens, as WoBERT was made from BERT, or
    with capital letters ("Keras" begins as "keras", "##RAS" as "##ras").

    A piece that the vocabulary lacks is left out of the average; a token that has
    no other begins as [UNK]. A warning names such tokens.

    Args:
        tokenizer: The one of the model to extend (after `keep_tokens`, if any):
            each new token is cut into pieces by it.
        new_tokens: What to add, in order. Those that the vocabulary has, and
            repeated ones, are passed over.

    Returns:
        The tokens to add, for `load_tokenizer(..., add_tokens=)`, and for each the
        ids of its pieces, for `load(..., compound_tokens=)`.

    Raises:
        VocabError: A new token is empty, holds white space, or only characters that
            the tokenizer drops.

    Example:
        >>> vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "天", "气"]
        >>> extend_vocab(PythonTokenizer(vocab), ["天气", "气", "天天"])
        (['天气', '天天'], [[4, 5], [4, 4]])

    Source: ZhuiyiTechnology/WoBERT train.py; examples/
    basic_make_uncased_model_cased.py of bojone/bert4keras.
    """
    vocab: list[str] = tokenizer.vocab
    added = _new(vocab, new_tokens, "new_tokens")
    starts = [token for token in added if not _continues(token)]
    pieces = dict(zip(starts, _tokenize(tokenizer, starts), strict=True))
    stems = [token for token in added if _continues(token)]
    if stems:
        inner, ids = _continuing(tokenizer)
        rows = inner.tokenize([token.removeprefix(_CONTINUES) for token in stems])
        pieces |= {
            token: [ids[i] for i in row] for token, row in zip(stems, rows, strict=True)
        }
    empty = [token for token in added if not pieces[token]]
    if empty:
        raise VocabError(
            f"new_tokens: expected tokens that text can hold, found {empty[0]!r}, of "
            "which the tokenizer leaves nothing"
        )
    unk = tokenizer.unk_id
    strange = [token for token in added if unk in pieces[token]]
    if strange:
        warnings.warn(
            f"{len(strange)} of {len(added)} new tokens have pieces that the "
            f"vocabulary lacks, such as {_some(strange)}: the average is that of "
            "their other pieces; without any it is the row of [UNK]",
            stacklevel=2,
        )
    groups = [[i for i in pieces[token] if i != unk] or [unk] for token in added]
    return added, groups


def _continues(token: str) -> bool:
    return token.startswith(_CONTINUES) and token != _CONTINUES


def _tokenize(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    rows = tokenizer.tokenize(texts) if texts else []
    return rows.to_list() if hasattr(rows, "to_list") else rows


def _continuing(tokenizer: Any) -> tuple[PythonTokenizer, list[int]]:
    """Return a tokenizer whose words are made of "##" pieces alone, and their ids."""
    tokens = list(REQUIRED_TOKENS)
    ids = [tokenizer.id_of(token) for token in tokens]
    for i, token in enumerate(tokenizer.vocab):
        if _continues(token):
            tokens += [token.removeprefix(_CONTINUES), token]
            ids += [i, i]
    return PythonTokenizer(tokens, **tokenizer.get_config()), ids


def _new(vocab: Sequence[str], tokens: Iterable[str], what: str) -> list[str]:
    """Return the tokens that are not in the vocabulary, each once."""
    if isinstance(tokens, str):
        raise VocabError(f"{what}: expected a list of tokens, found one str")
    known, out = set(vocab), []
    for token in dict.fromkeys(tokens):
        if not isinstance(token, str) or token.split() != [token]:
            raise VocabError(
                f"{what}: expected tokens without white space, found {token!r}"
            )
        if token not in known:
            out.append(token)
    return out


def change_tokens(
    tokens: Sequence[str],
    keep_tokens: Iterable[int] | None,
    add_tokens: Iterable[str],
    where: str,
) -> list[str]:
    """Return the tokens of a vocabulary whose rows `load` changes.

    Args:
        tokens: The token of every id.
        keep_tokens: As for `load`; None keeps all.
        add_tokens: The token of every compound row.
        where: The vocabulary, for messages.

    Raises:
        VocabError: An id is out of range or repeated, or a token to add is known,
            repeated or no token.
    """
    out = list(tokens)
    if keep_tokens is not None:
        keep = check_ids(keep_tokens, len(out), f"{where}: keep_tokens")
        twice = next((i for i, n in Counter(keep).items() if n > 1), None)
        if twice is not None:
            raise VocabError(
                f"{where}: keep_tokens: expected each id once, found {twice} again"
            )
        out = [out[i] for i in keep]
    given = list(add_tokens)
    added = _new(out, given, f"{where}: add_tokens")
    if added != given:
        again = (Counter(given) + Counter(set(out))).most_common(1)[0][0]
        raise VocabError(
            f"{where}: add_tokens: expected new tokens, each once, found {again!r} "
            "again. Take what extend_vocab returns"
        )
    return out + added


def warn_unreachable(tokenizer: Any, tokens: Sequence[str]) -> None:
    """Warn of tokens that no text gives: of another case, or never one word."""
    # Special tokens are set by their ids; pieces stand inside words.
    words = [t for t in tokens if not _continues(t) and t[0] + t[-1] != "[]"]
    rows = _tokenize(tokenizer, words)
    lost = [
        token
        for token, row in zip(words, rows, strict=True)
        if row != [tokenizer.id_of(token)]
    ]
    if lost:
        warnings.warn(
            f"{len(lost)} added tokens never come out of this tokenizer, such as "
            f"{_some(lost)}: it folds their letters (lowercase), or cuts them into "
            "words or characters (tell jieba such words: jieba.add_word)",
            stacklevel=3,
        )


def _some(tokens: Sequence[str], most: int = 5) -> str:
    return ", ".join(tokens[:most]) + (", ..." if len(tokens) > most else "")


@dataclasses.dataclass(frozen=True)
class WordTable:
    """What a vocabulary has to fit.

    Args:
        rows: Rows of the word table.
        masked: Whether there is a head that predicts the tokens behind [MASK].
        where: Whose table it is, for messages.
    """

    rows: int
    masked: bool
    where: str

    @classmethod
    def of_model(cls, model: keras.Model) -> Self:
        """Return the table of an `Encoder`, `PretrainedModel` or `Classifier`."""
        body = body_of(model)
        family = FAMILIES[body.family] if body.family else None
        masked = "mlm" in heads_of(model) and _masks(family, body.config.attention)
        return cls(body.config.vocab_size, masked, "the model")

    @classmethod
    def of_checkpoint(cls, found: Match, reader: Weights) -> Self:
        """Return the table of a checkpoint."""
        attention = found.family.fixed.get("attention", "bidirectional")
        masked = "mlm/bias" in found.names and _masks(found.family, attention)
        rows = reader.shapes[found.names[network_of(found.family).word_table]][0]
        return cls(rows, masked, str(reader.prefix))


def _masks(family: Family | None, attention: AttentionKind) -> bool:
    """Whether the MLM head is one; a generator's predicts what follows."""
    if family is not None and family.vocab_hint == "no_mask":
        return False
    return attention == "bidirectional"


def check_vocab(
    vocab: Any, model: keras.Model | WordTable, where: str = "the vocabulary"
) -> None:
    """Check that vocabulary and model fit together.

    `load_tokenizer`, `finetune` and `export` call it too. It warns where rows have
    no token, where [PAD] is not id 0 as in every original, and where there is an
    MLM head but no [MASK].

    Args:
        vocab: A tokenizer, or the token of every id.
        model: `Encoder`, `PretrainedModel` or `Classifier`.
        where: The vocabulary, for messages.

    Raises:
        VocabError: There are more tokens than rows.

    Example:
        >>> check_vocab(tokenizer, encoder)  # doctest: +SKIP
    """
    tokens: Sequence[str] = getattr(vocab, "vocab", vocab)
    table = model if isinstance(model, WordTable) else WordTable.of_model(model)
    if len(tokens) > table.rows:
        raise VocabError(
            f"{where}: has {len(tokens)} tokens, but the word table of {table.where} "
            f"has {table.rows} rows"
        )
    remarks = []
    if len(tokens) < table.rows:
        remarks.append(
            f"has {len(tokens)} tokens, but the word table of {table.where} has "
            f"{table.rows} rows: {table.rows - len(tokens)} rows have no token. Is it "
            "the vocabulary of this model?"
        )
    if "[PAD]" in tokens and tokens[0] != "[PAD]":
        remarks.append(
            f"[PAD] is id {list(tokens).index('[PAD]')}, but id 0 ({tokens[0]!r}) is "
            "what the original models pad with"
        )
    if table.masked and MASK_TOKEN not in tokens:
        remarks.append(
            f"has no {MASK_TOKEN}, but {table.where} has an MLM head: nothing can be "
            "masked"
        )
    for remark in remarks:
        warnings.warn(f"{where}: {remark}", stacklevel=2)
