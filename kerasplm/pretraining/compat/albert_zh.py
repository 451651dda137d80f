"""The stream of brightmart/albert_zh: Chinese words and the order of sentences."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from kerasplm.pretraining.compat.documents import (
    Document,
    File,
    Instance,
    all_instances,
    features,
    read_documents,
)
from kerasplm.pretraining.compat.masking import mask
from kerasplm.pretraining.compat.pairs import (
    Pair,
    framed,
    joined,
    pairs,
    target_length,
)
from kerasplm.pretraining.compat.segment import get_new_segment
from kerasplm.python_tokenizer import PythonTokenizer

__all__ = ["features", "instances"]


def instances(
    files: Iterable[File],
    tokenizer: PythonTokenizer,
    *,
    do_whole_word_mask: bool = False,
    max_seq_length: int = 128,
    max_predictions_per_seq: int = 20,
    random_seed: int = 12345,
    dupe_factor: int = 10,
    masked_lm_prob: float = 0.15,
    short_seq_prob: float = 0.1,
    non_chinese: bool = False,
) -> list[Instance]:
    """Make the instances of albert_zh in the order of their records.

    A chunk of one sentence makes no instance; the sentence stays in the chunk, and
    is lost only at the end of its document.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents.
        tokenizer: The tokenizer, with the options ``RULES["albert_zh"]``.
        do_whole_word_mask: Whether the characters of a word are masked together.
            Without it labels inside a word carry ``##`` all the same.
        max_seq_length: Longest instance, in tokens.
        max_predictions_per_seq: The most tokens to predict.
        random_seed: Seed of all draws.
        dupe_factor: How often each document is used, with other cuts and masks.
        masked_lm_prob: Share of the tokens to predict.
        short_seq_prob: How often a document is cut into shorter pairs.
        non_chinese: Whether jieba and its marks are left out.

    Returns:
        All instances; with several output files see ``round_robin``. Label 1: the
        two segments are swapped.

    Raises:
        DataError: When a line is not UTF-8, there is no text, or jieba is missing.

    Example:
        >>> found = albert_zh.instances(["text.txt"], tokenizer)  # doctest: +SKIP

    Source:
        brightmart/albert_zh, create_pretraining_data.py. Its collapsing of spaces
        changes no token, so it is left out here.
    """
    rng = random.Random(random_seed)
    documents = read_documents(files, tokenizer.tokens, rng)
    if not non_chinese:
        documents = [[get_new_segment(s) for s in document] for document in documents]
    words = list(dict.fromkeys(tokenizer.vocab))

    def split(before: Document, after: Document, target: int) -> Pair | None:
        if not after:
            return None
        first, second = joined(before), joined(after)
        if rng.random() < 0.5:
            return Pair(second, first, True)
        return Pair(first, second, False)

    def from_document(index: int) -> Iterator[Instance]:
        target = target_length(max_seq_length, short_seq_prob, rng)
        for pair in pairs(documents[index], target, max_seq_length - 3, split, rng):
            tokens, first = framed(pair)
            masked = mask(
                tokens,
                words,
                rng,
                masked_lm_prob=masked_lm_prob,
                max_predictions_per_seq=max_predictions_per_seq,
                do_whole_word_mask=do_whole_word_mask,
                marked=not non_chinese,
            )
            out, positions, labels = masked
            yield Instance(out, first, positions, labels, pair.is_random_next)

    return all_instances(len(documents), dupe_factor, from_document, rng)
