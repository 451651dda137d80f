"""Load the tokenizer of a model by one line."""

from pathlib import Path
from typing import Any, Literal

from kerasplm.checkpoint import Reader
from kerasplm.errors import PLMError, VocabError
from kerasplm.families import family_named
from kerasplm.sources import Source, open_source, read_json
from kerasplm.zoo import json_files, recognise_source

Rules = Literal["bert", "electra"]


def load_tokenizer(
    x: str | Path,
    *,
    in_graph: bool = True,
    lowercase: bool | None = None,
    strip_accents: bool | None = None,
    family: str | None = None,
) -> Any:
    """Load the tokenizer that belongs to a checkpoint.

    Args:
        x: As for `load`; or the vocabulary file itself.
        in_graph: True gives `Tokenizer` (tensorflow-text; for `tf.data` and export),
            False gives `PythonTokenizer` (with character offsets). Both return the
            same ids.
        lowercase: Default is what a `tokenizer_config.json` says, else True unless
            the folder's name begins with "cased_" or "multi_cased_".
        strip_accents: Default is `lowercase`.
        family: Decides which control characters are dropped; default is the family
            of the checkpoint beside the vocabulary.

    Raises:
        VocabError: There is no vocabulary, it is broken, or it has more tokens than
            the checkpoint's word table has rows.

    Example:
        >>> tokenizer = load_tokenizer("albert_tiny.zip")   # doctest: +SKIP
        >>> tokenizer(["今天天气不错"], max_length=64)      # doctest: +SKIP
    """
    if Path(x).is_file() and str(x).endswith(".txt"):
        lowercase = lowercase is not False
        return _tokenizer(Path(x), in_graph, lowercase, strip_accents, _rules(family))
    with open_source(x) as source:
        vocab = source.vocab()
        if vocab is None:
            raise VocabError(
                f"{x}: no vocabulary here. Expected vocab.txt in {source.folder.name}"
            )
        rules, rows = _rules(family), None
        if source.prefix is not None:
            rules, rows = _rules_of(source, family)
        settings = source.folder / "tokenizer_config.json"
        given = read_json(settings) if settings.is_file() else {}
        if lowercase is None:
            cased = source.folder.name.startswith(("cased_", "multi_cased_"))
            lowercase = bool(given.get("do_lower_case", not cased))
        if strip_accents is None:
            strip_accents = given.get("strip_accents")
        tokenizer = _tokenizer(vocab, in_graph, lowercase, strip_accents, rules)
        if rows is not None and tokenizer.vocab_size > rows:
            raise VocabError(
                f"{vocab}: has {tokenizer.vocab_size} tokens, but the word table of "
                f"{source.prefix} has {rows} rows"
            )
    return tokenizer


def _rules(family: str | None) -> Rules:
    return family_named(family).tokenizer if family else "bert"


def _rules_of(source: Source, family: str | None) -> tuple[Rules, int | None]:
    """Return the tokenizer's rules and the rows of the checkpoint's word table."""
    try:
        reader = Reader(source.checkpoint)
        found = recognise_source(source, reader, json_files(source), family, None)
    except PLMError:
        # A vocabulary is useful beside weights that are missing or unknown.
        return _rules(family), None
    table = reader.shapes[found.names["encoder/embeddings/word"]]
    return found.family.tokenizer, table[0]


def _tokenizer(
    vocab: Path, in_graph: bool, lowercase: bool, accents: bool | None, rules: Rules
) -> Any:
    kind: Any
    if in_graph:
        from kerasplm.tokenizer import Tokenizer as kind
    else:
        from kerasplm.python_tokenizer import PythonTokenizer as kind
    return kind(vocab, lowercase=lowercase, strip_accents=accents, control=rules)
