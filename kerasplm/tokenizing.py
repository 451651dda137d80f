"""Load the tokenizer of a model by one line."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

from kerasplm.characters import Control
from kerasplm.errors import DataError, PLMError, VocabError
from kerasplm.families import BERT, Family, family_named
from kerasplm.files import read_json, write_text
from kerasplm.jieba_import import import_jieba
from kerasplm.recognition import Opened, Part, opened
from kerasplm.sources import has_words, words_in
from kerasplm.vocab import Vocabulary, load_vocab
from kerasplm.vocabulary_rows import check_ids
from kerasplm.vocabulary_tools import (
    WordTable,
    change_tokens,
    check_vocab,
    warn_unreachable,
)


def load_tokenizer(
    x: str | Path,
    *,
    in_graph: bool | None = None,
    lowercase: bool | None = None,
    strip_accents: bool | None = None,
    family: str | None = None,
    part: Part | None = None,
    keep_tokens: Iterable[int] | None = None,
    add_tokens: Iterable[str] = (),
) -> Any:
    """Load the tokenizer that belongs to a checkpoint.

    Args:
        x: As for `load`; or the vocabulary file itself.
        in_graph: True gives `Tokenizer` (tensorflow-text; for `tf.data` and export),
            False gives `PythonTokenizer` (with character offsets). Both return the
            same ids. Default is True, except for a vocabulary of words (WoBERT,
            WoNEZHA): its texts are cut by jieba, which runs in Python only.
        lowercase: Default is what a `tokenizer_config.json` says, else what the
            family's original does, unless the name of folder or archive begins
            with "cased_" or "multi_cased_".
        strip_accents: Default is `lowercase`.
        family: Decides which control characters are dropped; default is the family
            of the checkpoint beside the vocabulary.
        part: As for `load`, where the catalogue has each network at its own place.
        keep_tokens: The ids that `load` was given, so that token and row cannot part:
            the tokens of these ids, in their new order.
        add_tokens: The token of each row that `load` makes of `compound_tokens`;
            `extend_vocab` returns both.

    Raises:
        VocabError: There is no vocabulary, it is broken, it has more tokens than
            the checkpoint's word table has rows, it is one of words and jieba is
            missing or `in_graph` True, or `keep_tokens` or `add_tokens` do not fit.

    Example:
        >>> tokenizer = load_tokenizer("albert_tiny.zip")   # doctest: +SKIP
        >>> tokenizer(["今天天气不错"], max_length=64)      # doctest: +SKIP
        >>> _, keep = simplify_vocab(tokenizer.vocab)       # doctest: +SKIP
        >>> tokenizer = load_tokenizer(x, keep_tokens=keep) # doctest: +SKIP
        >>> encoder = load(x, keep_tokens=keep)             # doctest: +SKIP
    """
    keep = None if keep_tokens is None else _listed(keep_tokens)
    change = (keep, list(add_tokens))
    if Path(x).is_file() and str(x).endswith(".txt"):
        facts = family_named(family) if family else BERT
        lowercase = facts.lowercase if lowercase is None else lowercase
        rules = (lowercase, strip_accents, facts)
        return _tokenizer(Path(x), in_graph, rules, False, None, *change)
    with opened(x, part, family) as it:
        source, family = it.source, it.family
        vocab = source.vocab()
        if vocab is None:
            raise VocabError(
                f"{x}: no vocabulary here. Expected vocab.txt in {source.folder.name}"
            )
        if source.entry is not None and lowercase is None:
            lowercase = source.entry.lowercase
        facts, table = family_named(family) if family else BERT, None
        if source.prefix is not None:
            facts, table = _family_of(it, facts)
        settings = source.folder / "tokenizer_config.json"
        given = read_json(settings) if settings.is_file() else {}
        if lowercase is None:
            names = (source.folder.resolve().name, Path(source.name).name)
            cased = any(n.startswith(("cased_", "multi_cased_")) for n in names)
            lowercase = given.get("do_lower_case", facts.lowercase and not cased)
        if not isinstance(lowercase, bool):
            raise VocabError(
                f"{settings}: do_lower_case must be true or false. Received: "
                f"{lowercase!r}"
            )
        if strip_accents is None:
            strip_accents = given.get("strip_accents")
        rules = (lowercase, strip_accents, _own_rules(facts, given, settings))
        segments = given.get("jieba") is True
        return _tokenizer(vocab, in_graph, rules, segments, table, *change)


def _listed(ids: Iterable[int]) -> list[int]:
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise VocabError(f"keep_tokens: expected ids, found {ids!r}")
    return list(ids)


def save_tokenizer(tokenizer: Any, folder: str | Path) -> None:
    """Write vocabulary and casing, as `load_tokenizer` reads them.

    Args:
        tokenizer: `Tokenizer` or `PythonTokenizer`.
        folder: Gets `vocab.txt` and `tokenizer_config.json`.
    """
    options = tokenizer.get_config()
    names = {
        "do_lower_case": options["lowercase"],
        "strip_accents": options["strip_accents"],
        "control": options["control"],
        "max_word_chars": options["max_word_chars"],
    }
    if getattr(tokenizer, "pre_tokenize", None) is not None:
        names["jieba"] = True
    text = "".join(f"{token}\n" for token in tokenizer.vocab)
    write_text(Path(folder) / "vocab.txt", text)
    write_text(Path(folder) / "tokenizer_config.json", json.dumps(names) + "\n")


def _family_of(it: Opened, default: Family) -> tuple[Family, WordTable | None]:
    """Return the checkpoint's family and what a vocabulary has to fit."""
    # A folder may hold a generator alone.
    parts: tuple[Part | None, ...] = (
        (None, "generator") if it.part is None else (it.part,)
    )
    for part in parts:
        # A vocabulary is useful beside weights that are missing or unknown.
        with contextlib.suppress(PLMError):
            reader, found = dataclasses.replace(it, part=part).read(index_only=True)
            return found.family, WordTable.of_checkpoint(found, reader)
    return default, None


def _own_rules(family: Family, given: dict[str, Any], file: Path) -> Family:
    """Return the family with the rules that `save_tokenizer` wrote."""
    control = given.get("control", family.tokenizer)
    longest = given.get("max_word_chars", family.max_word_chars)
    if control not in get_args(Control) or not isinstance(longest, int) or longest < 1:
        raise VocabError(
            f"{file}: expected control as one of {', '.join(get_args(Control))} and "
            f"max_word_chars from 1. Received: {control!r} and {longest!r}"
        )
    return dataclasses.replace(family, tokenizer=control, max_word_chars=longest)


def _tokenizer(
    vocab: Path,
    in_graph: bool | None,
    rules: tuple[bool, bool | None, Family],
    segments: bool,
    table: WordTable | None,
    keep: list[int] | None,
    add: list[str],
) -> Any:
    """Build the tokenizer of a vocabulary file and check that it fits the table."""
    kind: Any
    lowercase, accents, family = rules
    options: dict[str, Any] = {"lowercase": lowercase, "strip_accents": accents}
    options["control"] = family.tokenizer
    options["max_word_chars"] = family.max_word_chars
    tokens = load_vocab(vocab)
    table = _changed(len(tokens), table, keep, add, vocab)
    tokens = change_tokens(tokens, keep, add, str(vocab))
    words = Vocabulary(tuple(tokens), str(vocab))
    if segments or has_words(tokens) or words_in(add):
        if in_graph:
            raise VocabError(
                f"{vocab}: a vocabulary of words: texts are cut by jieba, which cannot "
                "run in graph. Pass in_graph=False"
            )
        in_graph = False
        options["pre_tokenize"] = _jieba(vocab)
    if in_graph is False:
        from kerasplm.python_tokenizer import PythonTokenizer as kind
    else:
        from kerasplm.tokenizer import Tokenizer as kind
    tokenizer = kind(words, **options)
    if table is not None:
        check_vocab(tokenizer, table, str(vocab))
    if add:
        warn_unreachable(tokenizer, add)
    return tokenizer


def _changed(
    count: int,
    table: WordTable | None,
    keep: list[int] | None,
    add: list[str],
    vocab: Path,
) -> WordTable | None:
    """Return the table with the rows that `load` gives it for the same change."""
    if table is None or (keep is None and not add):
        return table
    rows = table.rows if keep is None else len(keep)
    if keep is None and count != table.rows:
        # The new rows follow the last row, not the last token.
        raise VocabError(
            f"{vocab}: add_tokens: expected as many tokens as rows, found {count} "
            f"tokens and {table.rows} rows in {table.where}. Pass keep_tokens=range("
            f"{min(count, table.rows)}) here and to load"
        )
    if keep is not None:
        check_ids(keep, table.rows, f"{vocab}: keep_tokens")
    return dataclasses.replace(table, rows=rows + len(add))


def _jieba(vocab: Path) -> Callable[[str], Iterable[str]]:
    """Return jieba's segmentation without its model of unknown words.

    Source: ZhuiyiTechnology/WoBERT, README: `jieba.cut(s, HMM=False)`.
    """
    try:
        cut = import_jieba().cut
    except DataError as error:
        raise VocabError(f"{vocab}: a vocabulary of words: {error}") from error
    return lambda text: cut(text, HMM=False)
