"""What a task is: kind, labels, file format, recipe; data and model come from them."""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.optimization import AdamW
from kerasplm.task_models import MODELS, Classifier, TaskModel
from kerasplm.tasks.batching import Order
from kerasplm.tasks.epochs import layout_of
from kerasplm.tasks.features import Features, dataset_of
from kerasplm.tasks.formats import Format
from kerasplm.tasks.kinds import KINDS, Kind
from kerasplm.tasks.optimizing import method_of
from kerasplm.tasks.recipe import identity, published
from kerasplm.tasks.settings import Settings


@dataclasses.dataclass(frozen=True)
class Split:
    """The rows of one split.

    Args:
        files: Where they were read.
        rows: One object per row, of the class of the task's kind.
        dropped: How many rows the format itself leaves out, by reason.
        repaired: What was broken and could be put right, by what.
    """

    files: tuple[Path, ...]
    rows: tuple[Any, ...]
    dropped: Mapping[str, int] = dataclasses.field(default_factory=dict)
    repaired: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Declare a task.

    Args:
        name: Name of the task.
        title: What it asks, in a few words.
        source: Where its format and recipe are documented.
        kind: Key in `KINDS`: "classification", ...
        labels: Labels as the files spell them, in the order of their ids.
        format: How its files are named and read.
        pair: Whether an input has two texts.
        aliases: Other spellings of labels.
        metric: Score that the best weights maximise; default the kind's.
        options: Choices of the kind that differ from its defaults.
        recipe: Fields of `Settings` that differ from their defaults.
        submissions: Test splits and the names of their files for the leaderboard;
            default {"test": "NAME_predict.json"}.
        declaration: The JSON from which the task was read; None for a declared one.
        predicted_by: Name of the task whose model answers this one, which has a test
            file only.
        descriptions: What the labels mean, where the leaderboard's file says that too.

    Raises:
        ConfigError: There is no such kind, or no such option.

    Example:
        >>> TASKS["lcqmc"].pair
        True
    """

    name: str
    title: str
    source: str
    kind: str = "classification"
    labels: tuple[str, ...] = ()
    format: Format
    pair: bool = False
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    metric: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    submissions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    predicted_by: str = ""
    declaration: Mapping[str, Any] | None = None
    descriptions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Check the kind and its options."""
        if self.kind not in KINDS:
            raise ConfigError(
                f"task {self.name!r}: no kind {self.kind!r}; there are "
                f"{', '.join(KINDS)}"
            )
        self.engine.with_options(self.options)
        if not re.fullmatch(r"[\w+-][\w.+-]*", self.name):
            raise ConfigError(
                f"a task's name is letters, digits and . _ + -. Received: {self.name!r}"
            )
        if self.metric in ("loss", "examples", "majority", "chance"):
            raise ConfigError(
                f"task {self.name!r}: {self.metric!r} is not to be raised"
            )

    @property
    def tests(self) -> dict[str, str]:
        """The test splits, and the names of their files for the leaderboard."""
        return dict(self.submissions) or {"test": f"{self.name}_predict.json"}

    @property
    def metric_name(self) -> str:
        """The score that the best weights maximise."""
        return self.metric or self.engine.metric

    @property
    def engine(self) -> Kind:
        """The kind of the task: what is done with its rows and outputs."""
        return KINDS[self.kind]

    def settings(
        self,
        model: str | Path | None = None,
        family: str | None = None,
        **changes: Any,
    ) -> Settings:
        """Return the task's recipe with the named choices changed.

        The recipe is the published one for this task and model, as far as there is
        one (`kerasplm.recipes.recipe_for` tells its sources); then what the task
        declares; then what the code of the family does by default.

        Args:
            model: As for `load`: whose recipe to take.
            family: Family of the model, where the files do not tell.
            **changes: Fields of `Settings` or options of the kind; None leaves the
                recipe.

        Raises:
            ConfigError: There is no such choice, or it is out of range.
        """
        given = {key: value for key, value in changes.items() if value is not None}
        fields = {field.name for field in dataclasses.fields(Settings)} - {"options"}
        own = {key: value for key, value in given.items() if key not in fields}
        common = {key: value for key, value in given.items() if key in fields}
        known = {field.name for field in dataclasses.fields(self.engine.options)}
        stated = published(self.name, *identity(model, family))
        recipe = {**stated.default, **self.recipe, **stated.of_task}
        if self.declaration is not None:  # may have the name of a published task
            recipe = {**stated.default, **self.recipe}
        chosen = {**{k: v for k, v in recipe.items() if k in known}, **self.options}
        recipe = {k: v for k, v in recipe.items() if k in fields}
        settings = Settings(
            **{"family": family, **recipe, **common},
            options=self.engine.with_options({**chosen, **own}),
        )
        self._check_packing(settings)
        return settings

    def _check_packing(self, settings: Settings) -> None:
        if settings.packing and not MODELS[self.kind].packable:
            raise ConfigError(
                f"packing is not for tasks of kind {self.kind!r}: their loss takes "
                "padded positions into account, or their texts are written"
            )

    def chosen(self, settings: Settings) -> "Task":
        """Return the task with the options of some settings as its own."""
        return dataclasses.replace(self, options=dataclasses.asdict(settings.options))

    def at(self, folder: str | Path) -> "Task":
        """Return the task with the labels that a data folder lists, if it does.

        Args:
            folder: The files of the task; `all_50_schemas` lists those of "lic2019".

        Raises:
            DataError: The list is broken.
        """
        labels = self.format.labels(folder)
        return self if labels is None else dataclasses.replace(self, labels=labels)

    def rows(self, path: str | Path, split: str) -> Split:
        """Read one split.

        Args:
            path: Folder with the files of the task; or the file.
            split: "train", "dev" or one of `tests`; only those may lack labels.

        Raises:
            DataError: A file is missing or broken; the message names the line.
        """
        files = self.format.find(path, split)
        found = self.format.read(
            files,
            self.labels,
            labelled=None if split in self.tests else True,
            aliases=self.aliases,
        )
        if found.rows and not isinstance(found.rows[0], self.engine.row):
            raise ConfigError(
                f"task {self.name!r}: its format gives rows of class "
                f"{type(found.rows[0]).__name__}, but kind {self.kind!r} takes "
                f"{self.engine.row.__name__}"
            )
        return Split(tuple(files), tuple(found.rows), found.dropped, found.repaired)

    def has(self, folder: Path, split: str) -> bool:
        """Whether the folder holds the files of a split."""
        return self.format.has(folder, split)

    def features(
        self,
        rows: Sequence[Any],
        tokenizer: Any,
        settings: Settings | None = None,
    ) -> Features:
        """Tokenize rows for the model of this task."""
        return self.engine.features(self, rows, tokenizer, settings or self.settings())

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
        packing: bool | None = None,
    ) -> tf.data.Dataset:
        """Return a split as batches for `fit`, `evaluate` or `predict`.

        Batches are padded to their longest row only, if texts do not share rows.

        Args:
            path: As for `rows`.
            split: As for `rows`.
            tokenizer: From `load_tokenizer`.
            batch_size: Default is the task's.
            max_length: Default is the task's.
            order: "shuffled" (default for "train": random, rows of similar length
                together, another order each epoch), "length" (sorted), or "file"
                (default otherwise).
            seed: Of the random order.
            packing: Whether texts share rows, so that all batches have one shape; they
                are in a random order, and some come twice to fill the last batch. For
                one device; see `kerasplm.tasks.sharing`. Default is the task's.

        Returns:
            Batches of (inputs, targets), or of inputs if the file has no answers;
            inputs are `token_ids`, `segment_ids`, `padding_mask`, all (B, T), and with
            packing `shared_rows` (R, T).

        Raises:
            PLMError: The file is missing or broken, or packing does not go with the
                kind of task or the order.
        """
        order = order or ("shuffled" if split == "train" else "file")
        if packing is None and order != "shuffled":  # whatever the recipe says
            packing = False
        settings = self.settings(
            batch_size=batch_size, max_length=max_length, packing=packing, jit=False
        )
        features = self.features(self.rows(path, split).rows, tokenizer, settings)
        layout = layout_of(features, settings, order)

        def plans() -> Iterator[Any]:
            for epoch in itertools.count():
                yield layout.plan((seed, epoch)), (seed, epoch)

        data = dataset_of(layout, plans())
        count = -(-len(features) // settings.batch_size)
        return data.apply(tf.data.experimental.assert_cardinality(count))

    def model(
        self,
        encoder: keras.Model,
        *,
        optimizer: keras.optimizers.Optimizer | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> TaskModel:
        """Return a compiled model on the encoder, ready for `fit`.

        Args:
            encoder: From `load`: an `Encoder`; to write texts, one with its heads
                (heads="pretraining", attention="unilm") or a `Seq2Seq`.
            optimizer: Default is `AdamW` at the task's learning rate, constant; for
                the originals' warm-up and decay pass `adamw(rate, steps)`.
            settings: Default is the task's recipe.
            **changes: Choices that differ from it, such as `head_dropout=0.0`.
        """
        if not isinstance(encoder, self.engine.bodies):
            names = " or ".join(cls.__name__ for cls in self.engine.bodies)
            raise ConfigError(
                f"expected an {names} (from load(x)). Received: "
                f"{type(encoder).__name__}"
            )
        settings = settings or self.settings(**changes)
        self._check_packing(settings)
        model = self.engine.model(self, encoder, settings)
        metrics = None
        if isinstance(model, Classifier) and len(model.labels) > 1:
            # As an object: Keras makes one of a name during the first step.
            metrics = [keras.metrics.SparseCategoricalAccuracy("accuracy")]
        model.compile(
            optimizer=optimizer or AdamW(settings.learning_rate),
            method=method_of(settings.method),
            metrics=metrics,
            # The length of batches varies elsewhere: XLA would compile for each.
            jit_compile=bool(settings.jit),
        )
        return model

    def submission(
        self, path: str | Path, rows: Sequence[Any], predictions: Sequence[Any]
    ) -> None:
        """Write predictions in the format that the leaderboard takes.

        Args:
            path: The file, such as "tnews_predict.json".
            rows: What was predicted; gives the identifiers.
            predictions: From `predict`, one per row.
        """
        self.engine.submission(self, Path(path), rows, predictions)
