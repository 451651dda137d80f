"""The stream of google-research/bert: masked tokens and the next sentence."""

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
    other_document,
    pairs,
    random_pair,
    target_length,
)
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
) -> list[Instance]:
    """Make the instances of BERT, and of NEZHA, in the order of their records.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents.
        tokenizer: The tokenizer, with the options ``RULES["bert_lower"]`` or
            ``RULES["bert_cased"]``.
        do_whole_word_mask: Whether ``##`` pieces are masked with the piece before;
            Chinese characters stay single.
        max_seq_length: Longest instance, in tokens.
        max_predictions_per_seq: The most tokens to predict.
        random_seed: Seed of all draws.
        dupe_factor: How often each document is used, with other cuts and masks.
        masked_lm_prob: Share of the tokens to predict.
        short_seq_prob: How often a document is cut into shorter pairs.

    Returns:
        All instances; with several output files see ``round_robin``. Label 1: the
        second segment is of a random document.

    Raises:
        DataError: When a line is not UTF-8, or there is no text.

    Example:
        >>> found = bert.instances(["text.txt"], tokenizer)  # doctest: +SKIP

    Source:
        google-research/bert, create_pretraining_data.py; the same in
        huawei-noah/Pretrained-Language-Model, NEZHA-TensorFlow.
    """
    rng = random.Random(random_seed)
    documents = read_documents(files, tokenizer.tokens, rng)
    words = list(dict.fromkeys(tokenizer.vocab))

    def from_document(index: int) -> Iterator[Instance]:
        def split(before: Document, after: Document, target: int) -> Pair:
            if not after or rng.random() < 0.5:
                other = other_document(documents, index, rng)
                return random_pair(before, after, target, other, rng)
            return Pair(joined(before), joined(after), False)

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
            )
            out, positions, labels = masked
            yield Instance(out, first, positions, labels, pair.is_random_next)

    return all_instances(len(documents), dupe_factor, from_document, rng)
