"""What a task is: labels, file formats and recipe; data and model come from them."""

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.files import write_text
from kerasplm.heads import Classifier
from kerasplm.optimization import AdamW
from kerasplm.tasks.batching import Order, batches_of, dataset_of, encode
from kerasplm.tasks.reading import Examples, find_file, read_examples
from kerasplm.tasks.settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Declare a classification task of single texts or of pairs.

    Args:
        name: Name of the task.
        title: What it asks, in a few words.
        source: Where its format and recipe are documented.
        labels: Labels as the files spell them, in the order of their ids.
        columns: Order of "text", "pair" and "label" in tab-separated files.
        keys: JSON keys of text, pair (if any) and label.
        aliases: Other spellings of labels.
        max_length: Tokens per input, special tokens included.
        batch_size: Examples per step.
        learning_rate: Peak rate.
        epochs: Passes over the training set.

    Example:
        >>> task = Task(name="mine", title="spam or not", source="", labels=("no",
        ...     "yes"), columns=("label", "text"), keys=("text", "label"))
        >>> task.pair
        False
    """

    name: str
    title: str
    source: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    max_length: int = 128
    batch_size: int = 32
    learning_rate: float = 2e-5
    epochs: int = 3

    @property
    def pair(self) -> bool:
        """Whether an input has two texts."""
        return "pair" in self.columns

    def settings(self, **changes: Any) -> Settings:
        """Return the task's recipe with the named choices changed.

        Args:
            **changes: Fields of `Settings`; None leaves the recipe.
        """
        recipe = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "max_length": self.max_length,
        }
        given = {key: value for key, value in changes.items() if value is not None}
        return Settings(**(recipe | given))

    def examples(self, path: str | Path, split: str) -> Examples:
        """Read one split.

        Args:
            path: Folder with `split.json`, `.jsonl`, `.tsv` or `.txt`; or the file.
            split: "train", "dev" or "test"; only "test" may lack labels.

        Raises:
            DataError: The file is missing or broken; the message names the line.
        """
        return read_examples(
            find_file(path, split),
            labels=self.labels,
            columns=self.columns,
            keys=self.keys,
            aliases=self.aliases,
            unlabelled=split == "test",
        )

    def dataset(
        self,
        path: str | Path,
        split: str,
        tokenizer: Any,
        *,
        batch_size: int | None = None,
        max_length: int | None = None,
        order: Order | None = None,
        seed: int = 0,
    ) -> tf.data.Dataset:
        """Return a split as batches for `fit`, `evaluate` or `predict`.

        Batches are padded to their longest row only.

        Args:
            path: As for `examples`.
            split: As for `examples`.
            tokenizer: From `load_tokenizer`.
            batch_size: Default is the task's.
            max_length: Default is the task's.
            order: "shuffled" (default for "train": random, rows of similar length
                together, another order each epoch), "length" (sorted), or "file"
                (default otherwise).
            seed: Of the random order.

        Returns:
            Batches of (inputs, labels), or of inputs if the file has no labels;
            inputs are `token_ids`, `segment_ids`, `padding_mask`, all (B, T).
        """
        encoded = encode(
            self.examples(path, split), tokenizer, max_length or self.max_length
        )
        order = order or ("shuffled" if split == "train" else "file")
        size = batch_size or self.batch_size

        def plan(epoch: int) -> list[Any]:
            return batches_of(encoded.lengths, size, order, (seed, epoch))

        data = dataset_of(encoded, map(plan, itertools.count()))
        return data.apply(tf.data.experimental.assert_cardinality(len(plan(0))))

    def model(
        self,
        encoder: Encoder,
        *,
        dropout: float = 0.1,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> Classifier:
        """Return a compiled classifier on the encoder, ready for `fit`.

        Args:
            encoder: From `load`.
            dropout: Dropout before the classification layer.
            optimizer: Default is `AdamW` at the task's learning rate, constant; for
                the originals' warm-up and decay pass `adamw(rate, steps)`.
        """
        if not isinstance(encoder, Encoder):
            raise ConfigError(
                "expected an Encoder (from load(x)). Received: "
                f"{type(encoder).__name__}"
            )
        model = Classifier(
            encoder, self.labels, pair=self.pair, dropout=dropout, task=self.name
        )
        model.compile(
            optimizer=optimizer or AdamW(self.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            # The length of batches varies: XLA would compile again for each.
            jit_compile=False,
        )
        return model

    def submission(
        self, path: str | Path, examples: Examples, classes: Sequence[int]
    ) -> None:
        """Write predictions in CLUE's format, one JSON object per line.

        Args:
            path: The file, such as "tnews_predict.json".
            examples: What was predicted; gives the identifiers.
            classes: Class id of each example.
        """
        rows = (
            json.dumps({"id": i, "label": self.labels[c]}, ensure_ascii=False)
            for i, c in zip(examples.ids, classes, strict=True)
        )
        write_text(Path(path), "".join(f"{row}\n" for row in rows))
