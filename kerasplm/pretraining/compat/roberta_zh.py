"""The stream of brightmart/roberta_zh: Chinese words in full-length texts."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from kerasplm.pretraining.compat.documents import (
    Document,
    File,
    Instance,
    Sentence,
    all_instances,
    features,
    read_documents,
)
from kerasplm.pretraining.compat.masking import mask
from kerasplm.pretraining.compat.segment import get_new_segment
from kerasplm.python_tokenizer import PythonTokenizer

__all__ = ["chunks", "features", "instances"]


def chunks(document: Document, max_seq_length: int) -> list[Sentence]:
    """Fill texts with whole sentences, one after the other.

    Args:
        document: The sentences. One with as many tokens as there is room for, or
            more, is left out.
        max_seq_length: Longest instance, with two special tokens.

    Returns:
        The texts. The last one counts only when it fills more than half.

    Example:
        >>> chunks([list("ab"), list("cd"), list("e"), list("fghi")], 6)
        [['a', 'b', 'c', 'd']]

    Source:
        brightmart/roberta_zh, create_pretraining_data.py, ``get_raw_instance``.
    """
    room = max_seq_length - 2
    full: list[Sentence] = []
    chunk: Sentence = []
    for sentence in document:
        if len(sentence) >= room:
            continue
        if len(chunk) + len(sentence) > room:
            full.append(chunk)
            chunk = []
        chunk = chunk + sentence
    return full + ([chunk] if len(chunk) > room / 2 else [])


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
) -> list[Instance]:
    """Make the instances of roberta_zh in the order of their records.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents;
            ``<eop>`` is taken out.
        tokenizer: The tokenizer, with the options ``RULES["roberta_zh"]``.
        do_whole_word_mask: Whether the characters of a word are masked together.
            Without it labels inside a word carry ``##`` all the same.
        max_seq_length: Longest instance, in tokens.
        max_predictions_per_seq: The most tokens to predict.
        random_seed: Seed of all draws.
        dupe_factor: How often each text is used, with other masks.
        masked_lm_prob: Share of the tokens to predict.

    Returns:
        All instances; with several output files see ``round_robin``. All have
        segment 0 and, for no reason, the label 1.

    Raises:
        DataError: When a line is not UTF-8, there is no text, or jieba is missing.

    Example:
        >>> found = roberta_zh.instances(["text.txt"], tokenizer)  # doctest: +SKIP

    Source:
        brightmart/roberta_zh, create_pretraining_data.py. Its ``short_seq_prob`` is
        never read, so it is left out here.
    """
    rng = random.Random(random_seed)
    documents = read_documents(
        files, tokenizer.tokens, rng, lambda line: line.replace("<eop>", "")
    )
    # The same in each pass, so jieba runs once.
    texts = [
        [get_new_segment(chunk) for chunk in chunks(document, max_seq_length)]
        for document in documents
    ]
    words = list(dict.fromkeys(tokenizer.vocab))

    def from_document(index: int) -> Iterator[Instance]:
        for text in texts[index]:
            out, positions, labels = mask(
                ["[CLS]", *text, "[SEP]"],
                words,
                rng,
                masked_lm_prob=masked_lm_prob,
                max_predictions_per_seq=max_predictions_per_seq,
                do_whole_word_mask=do_whole_word_mask,
                marked=True,
            )
            yield Instance(out, len(out), positions, labels, True)

    return all_instances(len(texts), dupe_factor, from_document, rng)
