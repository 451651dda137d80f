"""The stream of google-research/albert: n-grams and the order of sentences."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import numpy as np

from kerasplm.pretraining.compat import documents as common
from kerasplm.pretraining.compat.documents import (
    Document,
    Features,
    File,
    Instance,
    all_instances,
    read_documents,
)
from kerasplm.pretraining.compat.ngrams import NgramMask, boundary
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
from kerasplm.vocab import TokenizerBase


def instances(
    files: Iterable[File],
    tokenizer: PythonTokenizer,
    *,
    do_whole_word_mask: bool = True,
    do_permutation: bool = False,
    favor_shorter_ngram: bool = True,
    random_next_sentence: bool = False,
    max_seq_length: int = 512,
    ngram: int = 3,
    max_predictions_per_seq: int = 20,
    random_seed: int = 12345,
    dupe_factor: int = 40,
    masked_lm_prob: float = 0.15,
    short_seq_prob: float = 0.1,
) -> list[Instance]:
    """Make the instances of ALBERT in the order of their records.

    The original draws the lengths of n-grams from ``numpy.random``, which it does
    not seed; here it has ``random_seed`` too. A chunk of one sentence is paired with
    a random document whatever ``random_next_sentence`` says.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents.
        tokenizer: The tokenizer, with the options ``RULES["albert_google"]``.
        do_whole_word_mask: Whether ``##`` pieces are masked with the piece before;
            Chinese characters stay single.
        do_permutation: Whether other tokens change places too; they are predicted,
            so that there are up to twice as many predictions.
        favor_shorter_ngram: Whether n words have the probability 1/n; otherwise the
            probabilities are reversed.
        random_next_sentence: Whether label 1 is a random second segment, as in
            BERT, and not a swap.
        max_seq_length: Longest instance, in tokens.
        ngram: Most words that are masked together.
        max_predictions_per_seq: The most tokens to predict.
        random_seed: Seed of all draws.
        dupe_factor: How often each document is used, with other cuts and masks.
        masked_lm_prob: Share of the tokens to predict; 0: none.
        short_seq_prob: How often a document is cut into shorter pairs.

    Returns:
        All instances, with ``boundary``; with several output files see
        ``round_robin``.

    Raises:
        DataError: When a line is not UTF-8, or there is no text.

    Example:
        >>> found = albert_google.instances(["text.txt"], tokenizer)  # doctest: +SKIP

    Source:
        google-research/albert, create_pretraining_data.py.
    """
    rng = random.Random(random_seed)
    documents = read_documents(files, tokenizer.tokens, rng)
    mask = NgramMask(
        list(dict.fromkeys(tokenizer.vocab)),
        rng,
        np.random.RandomState(random_seed),
        masked_lm_prob=masked_lm_prob,
        max_predictions_per_seq=max_predictions_per_seq,
        do_whole_word_mask=do_whole_word_mask,
        ngram=ngram,
        favor_shorter_ngram=favor_shorter_ngram,
        do_permutation=do_permutation,
    )

    def from_document(index: int) -> Iterator[Instance]:
        def split(before: Document, after: Document, target: int) -> Pair:
            if not after or (random_next_sentence and rng.random() < 0.5):
                other = other_document(documents, index, rng)
                return random_pair(before, after, target, other, rng)
            first, second = joined(before), joined(after)
            if not random_next_sentence and rng.random() < 0.5:
                return Pair(second, first, True)
            return Pair(first, second, False)

        target = target_length(max_seq_length, short_seq_prob, rng)
        for pair in pairs(documents[index], target, max_seq_length - 3, split, rng):
            tokens, first = framed(pair)
            out, positions, labels = mask(tokens)
            yield Instance(
                out, first, positions, labels, pair.is_random_next, boundary(tokens)
            )

    return all_instances(len(documents), dupe_factor, from_document, rng)


def features(
    instance: Instance,
    tokenizer: TokenizerBase,
    *,
    max_seq_length: int,
    max_predictions_per_seq: int,
    do_permutation: bool = False,
) -> Features:
    """Return the padded features of an instance.

    Args:
        instance: The instance.
        tokenizer: Gives the ids.
        max_seq_length: Length of the token features, L.
        max_predictions_per_seq: Length of the prediction features, P.
        do_permutation: Whether the prediction features have the length 2 P.

    Returns:
        Those of ``documents.features``, with ``token_boundary``.

    Raises:
        DataError: When the instance is too long.
        VocabError: When a token is not in the vocabulary.

    Source:
        google-research/albert, create_pretraining_data.py,
        ``write_instance_to_example_files``.
    """
    return common.features(
        instance,
        tokenizer,
        max_seq_length=max_seq_length,
        max_predictions_per_seq=max_predictions_per_seq * (1 + do_permutation),
    )
