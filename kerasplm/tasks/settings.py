"""The choices of one fine-tuning."""

import dataclasses
import math
from dataclasses import fields
from typing import Any

from kerasplm.errors import ConfigError
from kerasplm.precision import PRECISIONS
from kerasplm.tasks.choices import check_types
from kerasplm.tasks.kinds.base import Options
from kerasplm.tasks.optimizing import SCHEDULES, method_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold the choices of one fine-tuning. `Task.settings` fills in the recipe.

    Args:
        epochs: Passes over the training set.
        batch_size: Features per step.
        learning_rate: Peak of the schedule.
        warmup: Share of the updates in which the rate rises, in [0, 1].
        schedule: "bert", "electra" or "nezha" (how rise and linear fall are joined, see
            `WarmupLinear`), "constant", or "piecewise".
        schedule_points: For "piecewise": updates and factors of the rate, alternating.
        optimizer: "adamw" as in the originals, or "adam" with bias correction.
        weight_decay: Decoupled decay of "adamw"; not of biases and norms.
        clip_norm: Largest joint norm of the gradients; None does not clip.
        layer_decay: Factor of the rate from each layer to the one below; None gives
            all the same.
        ema: Decay of the moving average of the weights that is evaluated and saved;
            None takes the weights themselves.
        packing: Whether texts share rows, so that all batches have one shape, which
            XLA needs; see `kerasplm.tasks.sharing`.
        jit: Compile the steps with XLA, which needs packing; None does so if there is
            packing and a GPU, for models that are compiled once.
        accumulation: Batches whose gradients are averaged for one update.
        precision: "float32", "bfloat16" or "float16" for the activations; weights
            are float32.
        method: Training method, such as "fgm", "pgd", "gradient_penalty", "rdrop",
            "vat"; numbers may follow after colons ("fgm:0.3").
        max_length: Tokens per input, special tokens included.
        hierarchical_positions: Lets a model with a table of positions take longer
            inputs, see `Config`; None leaves what its configuration says.
        dropout: Dropout inside the encoder; None leaves what its configuration says.
        head_dropout: Dropout before the head, in [0, 1).
        evaluations: Evaluations on the development set per epoch.
        patience: Stop after so many evaluations without a better score; None never
            stops early.
        seed: Of the head, the order of the data and dropout.
        save_steps: Save the state of the training after so many steps.
        from_scratch: Take only configuration and vocabulary from the model's folder
            and begin with random weights.
        family: Name of the family, where the files do not tell.
        train: Training file, if it is not under its usual name in the data folder.
        dev: Development file, likewise.
        test: Test file, likewise.
        cache: Folder of prepared features, found by content; None takes "features" in
            the output folder.
        options: What only this kind of task has, such as windows and thresholds.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> Settings(epochs=2).batch_size
        32
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 2e-5
    warmup: float = 0.1
    schedule: str = "bert"
    schedule_points: tuple[float, ...] = ()
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    layer_decay: float | None = None
    ema: float | None = None
    packing: bool = False
    jit: bool | None = None
    accumulation: int = 1
    precision: str = "float32"
    method: str | None = None
    max_length: int = 128
    hierarchical_positions: float | None = None
    dropout: float | None = None
    head_dropout: float = 0.1
    evaluations: int = 1
    patience: int | None = None
    seed: int = 0
    save_steps: int = 500
    from_scratch: bool = False
    family: str | None = None
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    cache: str | None = None
    options: Any = dataclasses.field(default_factory=Options)

    def __post_init__(self) -> None:
        """Check types and numbers."""
        check_types(Settings, {f.name: getattr(self, f.name) for f in fields(self)})
        positive = ("epochs", "batch_size", "learning_rate", "save_steps")
        more = ("clip_norm", "accumulation", "layer_decay", "evaluations", "patience")
        for name in (*positive, *more):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name} must be positive. Received: {value}")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be in [0, 2**32). Received: {self.seed}")
        if self.max_length < 3:
            raise ConfigError(
                f"max_length must be at least 3. Received: {self.max_length}"
            )
        if not 0 <= self.warmup <= 1:
            raise ConfigError(f"warmup must be in [0, 1]. Received: {self.warmup}")
        if self.jit and not self.packing:
            raise ConfigError(
                "jit needs packing: XLA would compile again for every other length"
            )
        self._check_names()
        for name in ("dropout", "head_dropout", "ema", "weight_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"{name} must be in [0, 1). Received: {value}")

    def _check_names(self) -> None:
        for name, known in (
            ("schedule", (*SCHEDULES, "constant", "piecewise")),
            ("optimizer", ("adamw", "adam")),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(
                    f"{name} must be one of {', '.join(map(str, known))}. Received: "
                    f"{value!r}"
                )
        points = self.schedule_points
        if self.schedule == "piecewise" and (not points or len(points) % 2):
            raise ConfigError(
                "schedule_points must alternate updates and factors. Received: "
                f"{points}"
            )
        method_of(self.method)
