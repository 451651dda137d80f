"""Texts that mean the same, as the documents of the layout "simbert"."""

import json
from collections.abc import Iterator

from kerasplm.errors import DataError
from kerasplm.pretraining.documents import Document


def groups(document: Document) -> Iterator[Document]:
    r"""Yield the groups of similar texts that a document holds.

    Args:
        document: Lines: the texts of one group; or a group in each line, either texts
            with tabs between, or ``{"text": "...", "synonyms": ["...", ...]}``.

    Returns:
        Texts that mean the same.

    Raises:
        DataError: A line begins as JSON and is not of that form.

    Example:
        >>> list(groups(["在吗", "在不在", "几点了\t现在几点"]))
        [['几点了', '现在几点'], ['在吗', '在不在']]

    Source:
        ZhuiyiTechnology/simbert, simbert.py (the corpus in JSON).
    """
    own: Document = []
    for line in document:
        if line.startswith("{"):
            yield _of_json(line)
        elif "\t" in line:
            yield _stripped(line.split("\t"))
        else:
            own.append(line)
    if own:
        yield own


def _of_json(line: str) -> Document:
    try:
        found = json.loads(line)
        texts = [found["text"], *found["synonyms"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        texts = [error]
    if not all(isinstance(text, str) for text in texts):
        raise DataError(
            'expected a line such as {"text": "...", "synonyms": ["..."]}, found '
            f"{line[:60]!r}"
        )
    return _stripped(texts)


def _stripped(texts: Document) -> Document:
    return [text for text in map(str.strip, texts) if text]
