"""The marks with which the Chinese creators tell a word from single characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kerasplm.jieba_import import import_jieba

_CHINESE = re.compile("[\u4e00-\u9fa5]")


def get_new_segment(tokens: Sequence[str]) -> list[str]:
    """Put ``##`` before the characters inside the words that jieba finds.

    Words are a set, not places: any characters that spell a word of the sentence
    count as that word wherever they stand. The longest word has three tokens, so
    that longer ones fall apart.

    Args:
        tokens: WordPiece tokens; what jieba cuts is all of them joined, ``##`` and
            ``[UNK]`` included.

    Returns:
        As many tokens, marked.

    Raises:
        DataError: When jieba is not installed.

    Example:
        >>> get_new_segment(["收", "好", "了"])  # doctest: +SKIP
        ['收', '##好', '了']

    Source:
        brightmart/roberta_zh and brightmart/albert_zh,
        create_pretraining_data.py, ``get_new_segment``.
    """
    words = set(import_jieba().lcut("".join(tokens)))
    marked: list[str] = []
    i = 0
    while i < len(tokens):
        size = 1
        if _CHINESE.search(tokens[i]):
            for length in (3, 2):
                part = tokens[i : i + length]
                if len(part) == length and "".join(part) in words:
                    size = length
                    break
        marked.append(tokens[i])
        marked += ["##" + token for token in tokens[i + 1 : i + size]]
        i += size
    return marked
