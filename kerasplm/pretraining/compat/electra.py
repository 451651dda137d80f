"""The stream of google-research/electra: texts without masks."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator

from kerasplm.pretraining.compat.documents import (
    Features,
    File,
    Instance,
    Sentence,
    lines,
    token_features,
)
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.vocab import TokenizerBase

Joins = Callable[[Sentence, Sentence, Sentence, int, random.Random], bool]
"""Tells whether a sentence joins the first segment: first, second, sentence, goal."""


def joins_first(
    first: Sentence,
    second: Sentence,
    sentence: Sentence,
    goal: int,
    rng: random.Random,
) -> bool:
    """Tell whether a sentence joins the first segment or the second.

    Args:
        first: Tokens of the first segment so far.
        second: Tokens of the second segment so far.
        sentence: The next sentence.
        goal: Tokens that the first segment should have.
        rng: Draws only for a sentence on the edge.

    Returns:
        True when the first segment is empty, when there is room, and half the time
        on the edge.

    Source:
        google-research/electra, build_pretraining_dataset.py, ``_create_example``.
    """
    if not first or len(first) + len(sentence) < goal:
        return True
    return not second and len(first) < goal and rng.random() < 0.5


class Builder:
    """Collect sentences and cut them into two segments.

    Args:
        tokenize: Returns the tokens of a line.
        max_length: Longest instance, in tokens.
        rng: Draws in the order of the original.
        joins: Chooses the segment of a sentence.

    Source:
        google-research/electra, build_pretraining_dataset.py, ``ExampleBuilder``.
    """

    def __init__(
        self,
        tokenize: Callable[[str], Sentence],
        max_length: int,
        rng: random.Random,
        joins: Joins = joins_first,
    ) -> None:
        """Start with nothing collected."""
        self.tokenize, self.max_length = tokenize, max_length
        self.rng, self.joins = rng, joins
        self.target = max_length
        self.size = 0
        self.sentences: list[Sentence] = []

    def add_line(self, line: str) -> Instance | None:
        """Add a sentence; return an instance when the target is reached.

        Args:
            line: A stripped line; a blank one ends the document.

        Returns:
            The instance, or None.
        """
        if not line and self.size:
            return self.create()
        tokens = self.tokenize(line)
        self.sentences.append(tokens)
        self.size += len(tokens)
        return self.create() if self.size >= self.target else None

    def create(self) -> Instance:
        """Return an instance of all that is collected, and start again."""
        alone = self.rng.random() < 0.1
        goal = 100_000 if alone else (self.target - 3) // 2
        first: Sentence = []
        second: Sentence = []
        for sentence in self.sentences:
            if self.joins(first, second, sentence, goal, self.rng):
                first += sentence
            else:
                second += sentence
        first = first[: self.max_length - 2]
        second = second[: max(0, self.max_length - len(first) - 3)]
        self.sentences, self.size = [], 0
        short = self.rng.random() < 0.05
        self.target = self.rng.randint(5, self.max_length) if short else self.max_length
        tokens = ["[CLS]", *first, "[SEP]"]
        if second:
            tokens += [*second, "[SEP]"]
        return Instance(tokens, len(first) + 2)


def instances(
    files: Iterable[File],
    tokenizer: PythonTokenizer,
    *,
    max_seq_length: int = 128,
    random_seed: int = 12345,
    num_processes: int = 1,
    job_id: int = 0,
    blanks_separate_docs: bool = True,
    joins: Joins = joins_first,
) -> Iterator[Instance]:
    """Make the instances of ELECTRA in the order in which a process writes them.

    Process j of n writes them in turn to the files j, j + n, j + 2 n ... of 1000.
    The original is not seeded.

    Args:
        files: UTF-8 texts: a sentence per line, a blank line between documents. A
            file also ends a document.
        tokenizer: The tokenizer, with the options ``RULES["electra_lower"]`` or the
            other ones of ELECTRA.
        max_seq_length: Longest instance, in tokens.
        random_seed: Seed of all draws of this process.
        num_processes: Number of processes, n; each takes every n-th file.
        job_id: Which of them this is, j, from 0.
        blanks_separate_docs: Whether a blank line ends a document. The flag of the
            original is true whatever it is given.
        joins: Chooses the segment of a sentence.

    Yields:
        The instances, without masks.

    Raises:
        DataError: When a line is not UTF-8.

    Example:
        >>> found = electra.instances(["text.txt"], tokenizer)  # doctest: +SKIP

    Source:
        google-research/electra, build_pretraining_dataset.py, ``ExampleWriter``.
    """
    rng = random.Random(random_seed)
    mine = sorted(files, key=os.path.basename)[job_id::num_processes]
    rng.shuffle(mine)
    builder = Builder(tokenizer.tokens, max_seq_length, rng, joins)
    for file in mine:
        for line in lines(file):
            if line or blanks_separate_docs:
                made = builder.add_line(line)
                if made is not None:
                    yield made
        last = builder.add_line("")
        if last is not None:
            yield last


def features(
    instance: Instance, tokenizer: TokenizerBase, *, max_seq_length: int
) -> Features:
    """Return the padded features of an instance.

    Args:
        instance: The instance.
        tokenizer: Gives the ids.
        max_seq_length: Length of the features, L.

    Returns:
        ``input_ids``, ``input_mask`` and ``segment_ids`` [L].

    Raises:
        DataError: When the instance is too long.
        VocabError: When a token is not in the vocabulary.

    Source:
        google-research/electra, build_pretraining_dataset.py, ``_make_tf_example``.
    """
    return token_features(instance, tokenizer, max_seq_length)
