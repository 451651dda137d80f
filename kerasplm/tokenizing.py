"""Load the tokenizer of a model by one line."""

import json
import logging
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kerasplm.errors import PLMError, VocabError
from kerasplm.families import BERT, Family, family_named
from kerasplm.files import read_json, write_text
from kerasplm.networks import network_of
from kerasplm.sources import Source, has_words, open_source
from kerasplm.vocab import Vocabulary
from kerasplm.zoo import json_files, recognise_source


def load_tokenizer(
    x: str | Path,
    *,
    in_graph: bool | None = None,
    lowercase: bool | None = None,
    strip_accents: bool | None = None,
    family: str | None = None,
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

    Raises:
        VocabError: There is no vocabulary, it is broken, it has more tokens than
            the checkpoint's word table has rows, or it is one of words and jieba is
            missing or `in_graph` True.

    Example:
        >>> tokenizer = load_tokenizer("albert_tiny.zip")   # doctest: +SKIP
        >>> tokenizer(["今天天气不错"], max_length=64)      # doctest: +SKIP
    """
    if Path(x).is_file() and str(x).endswith(".txt"):
        facts = family_named(family) if family else BERT
        lowercase = facts.lowercase if lowercase is None else lowercase
        return _tokenizer(Path(x), in_graph, lowercase, strip_accents, facts)
    with open_source(x) as source:
        vocab = source.vocab()
        if vocab is None:
            raise VocabError(
                f"{x}: no vocabulary here. Expected vocab.txt in {source.folder.name}"
            )
        facts, rows = family_named(family) if family else BERT, None
        if source.prefix is not None:
            facts, rows = _family_of(source, facts, family)
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
        tokenizer = _tokenizer(vocab, in_graph, lowercase, strip_accents, facts)
        if rows is not None and tokenizer.vocab_size > rows:
            raise VocabError(
                f"{vocab}: has {tokenizer.vocab_size} tokens, but the word table of "
                f"{source.prefix} has {rows} rows"
            )
    return tokenizer


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
    }
    text = "".join(f"{token}\n" for token in tokenizer.vocab)
    write_text(Path(folder) / "vocab.txt", text)
    write_text(Path(folder) / "tokenizer_config.json", json.dumps(names) + "\n")


def _family_of(
    source: Source, default: Family, family: str | None
) -> tuple[Family, int | None]:
    """Return the checkpoint's family and the rows of its word table."""
    try:
        reader = source.weights()
        found = recognise_source(source, reader, json_files(source), family, None)
    except PLMError:
        # A vocabulary is useful beside weights that are missing or unknown.
        return default, None
    table = reader.shapes[found.names[network_of(found.family).word_table]]
    return found.family, table[0]


def _tokenizer(
    vocab: Path,
    in_graph: bool | None,
    lowercase: bool,
    accents: bool | None,
    family: Family,
) -> Any:
    kind: Any
    options: dict[str, Any] = {"lowercase": lowercase, "strip_accents": accents}
    options["control"] = family.tokenizer
    options["max_word_chars"] = family.max_word_chars
    if has_words(Vocabulary.of(vocab).tokens):
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
    return kind(vocab, **options)


def _jieba(vocab: Path) -> Callable[[str], Iterable[str]]:
    """Return jieba's segmentation without its model of unknown words.

    Source: ZhuiyiTechnology/WoBERT, README: `jieba.cut(s, HMM=False)`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its regular expressions are old
            import jieba
    except ImportError as error:
        raise VocabError(
            f"{vocab}: a vocabulary of words needs jieba to cut texts: "
            "pip install 'kerasplm[jieba]'"
        ) from error
    jieba.setLogLevel(logging.WARNING)  # not a line for every start
    cut = jieba.cut
    return lambda text: cut(text, HMM=False)
