"""The copy of Google's ALBERT creator in brightmart/albert_zh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kerasplm.pretraining.compat import albert_google
from kerasplm.pretraining.compat.albert_google import features
from kerasplm.pretraining.compat.documents import File, Instance
from kerasplm.python_tokenizer import PythonTokenizer

__all__ = ["features", "instances"]


def instances(
    files: Iterable[File],
    tokenizer: PythonTokenizer,
    *,
    favor_shorter_ngram: bool = False,
    dupe_factor: int = 10,
    **options: Any,
) -> list[Instance]:
    """Make the instances of the copy: one flag means its opposite.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents.
        tokenizer: The tokenizer, with the options ``RULES["albert_zh_google"]``.
        favor_shorter_ngram: Whether *longer* n-grams are favoured, against the name.
        dupe_factor: How often each document is used, with other cuts and masks.
        **options: As ``albert_google.instances`` takes them.

    Returns:
        All instances, in the order of their records.

    Raises:
        DataError: When a line is not UTF-8, or there is no text.

    Source:
        brightmart/albert_zh, create_pretraining_data_google.py.
    """
    return albert_google.instances(
        files,
        tokenizer,
        favor_shorter_ngram=not favor_shorter_ngram,
        dupe_factor=dupe_factor,
        **options,
    )
