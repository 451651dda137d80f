"""What all pipelines share: one item or many in, plain Python objects out."""

import abc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import keras

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, DataError
from kerasplm.exporting import check_length
from kerasplm.pipelines.items import chunks, is_item
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.tasks.kinds.base import with_offsets
from kerasplm.vocabulary_tools import check_vocab

# Items that are read and sorted by length at once, in batches.
_AHEAD = 16
# Where neither the model nor a training limits the length.
LONGEST = 512


class Pipeline(abc.ABC):
    """Answer raw text. Several threads may call one pipeline at once.

    Args:
        model: The model.
        tokenizer: From `load_tokenizer`.
        batch_size: Sequences that run at once; those of similar length together.
        max_length: Tokens per sequence; default is as many as the model takes, 512 at
            most.

    Raises:
        ConfigError: The model is not one for this pipeline, or a choice is bad.
        VocabError: The vocabulary does not fit the model.
    """

    task: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ("text",)
    """Fields of an item in the order of a tuple."""
    required: ClassVar[int] = 1
    """How many of them must be there."""

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        batch_size: int = 32,
        max_length: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be positive. Received: {batch_size}")
        encoder = model if isinstance(model, Encoder) else model.encoder
        check_vocab(tokenizer, encoder)
        limit = check_length(encoder.config, max_length)
        self.model = model
        self.encoder: Encoder = encoder
        self.tokenizer: PythonTokenizer = with_offsets(tokenizer)
        self.batch_size = batch_size
        self.max_length = max_length or min(limit or LONGEST, LONGEST)

    def __call__(self, inputs: Any) -> Any:
        """Answer one item, a list of items, or any other iterable of them.

        Args:
            inputs: One item: a str, a tuple of fields, or a dictionary of them. A list
                of items gives a list. Any other iterable, such as a generator or an
                open file, gives an iterator that reads 16 batches ahead, so that
                memory stays small.

        Returns:
            One dictionary per item, in order; or an iterator of them.

        Raises:
            DataError: An item is not what this pipeline takes.
        """
        if is_item(inputs):
            return self.run([self.read(inputs, 0)])[0]
        if isinstance(inputs, list):
            return list(self.stream(inputs))
        if isinstance(inputs, Iterable) and not isinstance(inputs, bytes):
            return self.stream(inputs)
        raise DataError(
            "expected an item (str, tuple or dict) or an iterable of items, found "
            f"{type(inputs).__name__}"
        )

    def stream(self, items: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """Yield the answer to each item, in order."""
        for rows in self.rows(items):
            yield from self.run(rows)

    def rows(self, items: Iterable[Any]) -> Iterator[list[Any]]:
        """Yield what `read` makes of the items, some batches at a time."""
        number = 0
        for part in chunks(items, _AHEAD * self.batch_size):
            yield [self.read(item, number + n) for n, item in enumerate(part)]
            number += len(part)

    @property
    @abc.abstractmethod
    def traces(self) -> int:
        """How many graphs were traced so far; it does not grow with the calls."""

    @abc.abstractmethod
    def read(self, item: Any, number: int) -> Any:
        """Return an item after checking it.

        Args:
            item: As the user gave it.
            number: Which one it is, from 0.

        Raises:
            DataError: It is not what this pipeline takes.
        """

    @abc.abstractmethod
    def run(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Answer what `read` returned."""
