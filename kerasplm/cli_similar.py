"""The command `similar`: find the texts of a corpus that mean the same."""

import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from checkpoints_convert.command import FamilyArg, PartArg
from kerasplm.cli_files import (
    BatchArg,
    FormatArg,
    LengthArg,
    items_of,
    opened,
    write_line,
    written,
)
from kerasplm.cli_values import numbers
from kerasplm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kerasplm.retrieval import SentenceIndex

Asked = tuple[str, dict[str, Any]]
_ASKED = 1024  # queries that are embedded and searched at once


def similar(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="Name from `kerasplm list`, or a folder, checkpoint prefix or "
            "archive; SimBERT is trained for it.",
            metavar="MODEL",
        ),
    ],
    queries: Annotated[
        list[str] | None, typer.Argument(help="Texts to find others for.")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(help="Folder: built with --corpus, else searched.", metavar="DIR"),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="File of the texts to search, or - for stdin."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--input", help="File of queries, or - for stdin.", metavar="FILE"
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="JSON lines, or - for stdout. Default: tables.", metavar="FILE"
        ),
    ] = None,
    k: Annotated[int, typer.Option("--top", "-k", help="Texts for each query.")] = 10,
    column: Annotated[
        str | None,
        typer.Option(help="Of .tsv and .jsonl files. Default: text or sentence."),
    ] = None,
    form: FormatArg = None,
    measure: Annotated[
        Literal["cosine", "dot"] | None,
        typer.Option(help="Compare directions, or also lengths. Default: cosine."),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="mean, cls, max, pooled or first_last. Default: the index's; pooled "
            "for SimBERT, else mean."
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Such as -1,-2: the mean of these layers. Default: -1."),
    ] = None,
    engine: Annotated[
        Literal["numpy", "faiss-flat", "faiss-ivf", "faiss-hnsw"],
        typer.Option(help="numpy and faiss-flat are exact."),
    ] = "numpy",
    batch_size: BatchArg = 32,
    max_length: LengthArg = None,
    family: FamilyArg = None,
    part: PartArg = None,
) -> None:
    """Find the texts of a corpus that are nearest to each query, the nearest first.

    With --corpus and --index the texts are embedded into the folder; a build that was
    interrupted goes on when it is started again. With --index alone it is searched;
    with --corpus alone the vectors stay in memory. A line is a text; .tsv and .jsonl
    files have columns. JSON: {"text", "hits": [{"text", "score", "number"}]}, where
    number counts the texts of the corpus from 0; an "id" of a query is repeated.
    """
    from kerasplm.pipelines import pipeline
    from kerasplm.retrieval import SentenceIndex
    from kerasplm.retrieval.folder import embedding_options, read

    if corpus is None and index is None:
        raise ConfigError("nothing to search: pass --corpus, --index or both")
    if corpus == "-" and source == "-":
        raise ConfigError("--corpus and --input cannot both be stdin")
    asks = bool(queries) or source is not None
    if not asks and (corpus is None or index is None):
        raise ConfigError("nothing to find: pass queries, or --input with a file")
    if corpus is None and measure is not None:
        raise ConfigError("--measure is chosen when the index is built")
    if k < 1:
        raise ConfigError(f"--top must be at least 1. Received: {k}")
    options: dict[str, Any] = {}
    if corpus is None and index is not None:
        options = embedding_options(read(Path(index)))
    chosen = {
        "pooling": pooling,
        "layers": numbers("layers", layers),
        "max_length": max_length,
    }
    if pooling is not None:
        options.pop("layers", None)
    options |= {"family": family, "part": part, **_given(chosen)}
    options = {"batch_size": batch_size, **_given(options)}
    embed = pipeline("feature-extraction", model, **options)
    if corpus is None:
        assert index is not None  # checked above
        found = SentenceIndex.load(index, embed, engine=engine)
    else:
        found = _embedded(
            corpus,
            index,
            embed,
            {"measure": measure or "cosine", "engine": engine},
            column,
            form,
        )
    if not asks:
        return
    asked: Iterator[Asked] = iter([(text, {}) for text in queries or []])
    if source is None:
        _answer(found, asked, k, output)
        return
    with opened(source) as lines:
        items = enumerate(items_of(lines, source, form))
        more = ((_text(x, column, n), _id(x)) for n, x in items)
        _answer(found, itertools.chain(asked, more), k, output)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _embedded(
    corpus: str,
    folder: str | None,
    embed: Any,
    options: Mapping[str, Any],
    column: str | None,
    form: str | None,
) -> "SentenceIndex":
    """Embed a corpus into a folder, or into memory."""
    from kerasplm.pipelines.items import chunks
    from kerasplm.progress import counting
    from kerasplm.retrieval import SentenceIndex

    begin = time.monotonic()
    total = None if corpus == "-" else _count(corpus)
    with opened(corpus) as lines, counting(corpus, total) as bar:
        items = enumerate(items_of(lines, corpus, form))
        texts = (_text(item, column, number) for number, item in items)
        if folder is not None:
            index = SentenceIndex.build(
                folder,
                texts,
                embed,
                progress=bar.advance,
                **options,
            )
        else:
            index = SentenceIndex(embed, **options)
            for some in chunks(texts, _ASKED):
                index.add(some)
                bar.advance(len(some))
            if not len(index):
                raise DataError("expected texts to embed, found none")
    seconds = time.monotonic() - begin
    typer.echo(f"{folder or corpus}: {len(index)} texts in {seconds:.0f} s", err=True)
    return index


def _count(path: str) -> int:
    """Count the lines of a file, in little memory."""
    with open(Path(path).expanduser(), "rb") as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(2**20), b""))


def _text(item: Any, column: str | None, number: int) -> str:
    """Return the text of an item of a file."""
    from kerasplm.pipelines.items import texts_of

    if isinstance(item, tuple):  # a line with tabs is a text like others
        item = "\t".join(item)
    if isinstance(item, str):
        if column is not None:
            raise DataError(
                f"input {number}: expected columns for --column, found text"
            )
        return item
    if column is None:
        return str(texts_of(item, ("text",), 1, number)[0])
    if not isinstance(item.get(column), str):
        raise DataError(
            f"input {number}: expected a text in {column!r}, found "
            f"{type(item.get(column)).__name__} (there are {', '.join(item)})"
        )
    return item[column]


def _id(item: Any) -> dict[str, Any]:
    return {"id": item["id"]} if isinstance(item, dict) and "id" in item else {}


def _answer(
    index: "SentenceIndex",
    asked: Iterator[Asked],
    k: int,
    output: str | None,
) -> None:
    """Write the hits of each query."""
    from kerasplm.pipelines.items import chunks

    def answers() -> Iterator[tuple[str, dict[str, Any], Any]]:
        for some in chunks(asked, _ASKED):
            hits = index.search([text for text, _ in some], k)
            for (text, known), found in zip(some, hits, strict=True):
                yield text, known, found

    if output is None:
        from kerasplm.reporting import print_table

        for text, _, found in answers():
            rows = [(hit.number, hit.score, hit.text) for hit in found]
            print_table(text, ("number", "score", "text"), rows)
        return
    with written(output) as file:
        for text, known, found in answers():
            hits = [
                {"text": hit.text, "score": hit.score, "number": hit.number}
                for hit in found
            ]
            write_line(file, {**known, "text": text, "hits": hits})
