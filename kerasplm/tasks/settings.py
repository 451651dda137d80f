"""The choices of one fine-tuning."""

import dataclasses
import math

from kerasplm.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold the choices of one fine-tuning. `Task.settings` fills in the recipe.

    Args:
        epochs: Passes over the training set.
        batch_size: Examples per step.
        learning_rate: Peak of the schedule.
        warmup: Share of the steps in which the rate rises, in [0, 1].
        max_length: Tokens per input, special tokens included.
        dropout: Dropout inside the encoder; None leaves what its configuration says.
        seed: Of the classification layer, the order of the data and dropout.
        save_steps: Save the state of the training after so many steps.
        from_scratch: Take only configuration and vocabulary from the model's folder
            and begin with random weights.
        family: Name of the family, where the files do not tell.
        train: Training file, if it is not `train.*` in the data folder.
        dev: Development file, likewise.
        test: Test file, likewise.

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
    max_length: int = 128
    dropout: float | None = None
    seed: int = 0
    save_steps: int = 500
    from_scratch: bool = False
    family: str | None = None
    train: str | None = None
    dev: str | None = None
    test: str | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("epochs", "batch_size", "learning_rate", "save_steps"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be positive. Received: {getattr(self, name)}"
                )
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be in [0, 2**32). Received: {self.seed}")
        if self.max_length < 3:
            raise ConfigError(
                f"max_length must be at least 3. Received: {self.max_length}"
            )
        if not 0 <= self.warmup <= 1:
            raise ConfigError(f"warmup must be in [0, 1]. Received: {self.warmup}")
