"""The choices of a distillation that are not those of every training."""

import dataclasses
from typing import Any

from kerasplm.distillation import maps
from kerasplm.distillation.answers import is_number
from kerasplm.distillation.checks import LAYERS
from kerasplm.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choices:
    """Hold the choices of a distillation; the defaults are TinyBERT's.

    Args:
        layer_map: "uniform", "top", "bottom", or the teacher's layers.
        padding: "masked" or "tinybert", see `Distillation`.
        projection: "shared", "embedding" or "per_layer".
        heads: "same" or "mean".
        attention: Weight of the loss of the attention scores.
        hidden: Weight of the loss of the hidden states.
        embedding: Weight of the loss of the embeddings.
        temperature: Of the teacher's answers.
        reduction: "rows" or "entries", see `Distillation`.
        alpha: Weight of the true answers in the last stage, in [0, 1]; the teacher's
            get the rest. None: 0, and 1 for a regression.
        compat: Whether padding counts and losses are averaged as in TinyBERT's code;
            wins over `padding` and `reduction`.

    Raises:
        ConfigError: A number is out of range.
    """

    layer_map: maps.LayerMap = "uniform"
    padding: str = "masked"
    projection: str = "shared"
    heads: str = "same"
    attention: float = 1.0
    hidden: float = 1.0
    embedding: float = 1.0
    temperature: float = 1.0
    reduction: str = "rows"
    alpha: float | None = None
    compat: bool = False

    def __post_init__(self) -> None:
        """Check the share of the true answers."""
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ConfigError(f"alpha must be in [0, 1]. Received: {self.alpha}")
        if self.compat:
            object.__setattr__(self, "padding", "tinybert")
            object.__setattr__(self, "reduction", "entries")

    def of_layers(self) -> dict[str, Any]:
        """Return the arguments of `Distillation` that learns the layers."""
        return {
            "losses": {name: getattr(self, name) for name in LAYERS},
            "layer_map": self.layer_map,
            "padding": self.padding,
            "projection": self.projection,
            "heads": self.heads,
        }

    def of_answers(self, student: Any) -> dict[str, Any]:
        """Return the arguments of `Distillation` that learns the answers."""
        alpha = self.alpha
        if alpha is None:
            alpha = 1.0 if is_number(student) else 0.0
        return {
            "losses": {"prediction": 1.0 - alpha, "hard": alpha},
            "temperature": self.temperature,
            "reduction": self.reduction,
        }
