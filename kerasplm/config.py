"""The configuration of an encoder: one frozen dataclass for every family."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self, get_args

from kerasplm.errors import ConfigError

Activation = Literal["gelu_tanh", "gelu_erf", "relu", "tanh", "swish", "linear"]
Projection = Literal["after_norm", "before_norm"]
Position = Literal["absolute", "nezha", "rotary"]
AttentionKind = Literal["bidirectional", "causal", "unilm"]
Pooler = Literal["tanh", "linear", "none"]
NormPlacement = Literal["post", "pre"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "hidden_act": get_args(Activation),
    "embedding_projection": get_args(Projection),
    "position": get_args(Position),
    "attention": get_args(AttentionKind),
    "pooler": get_args(Pooler),
    "ln_type": get_args(NormPlacement),
}
_AT_LEAST = {
    "vocab_size": 1,
    "hidden_size": 1,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 1,
    "max_position_embeddings": 1,
    "type_vocab_size": 0,
    "inner_group_num": 1,
    "ffn_groups": 1,
    "max_relative_position": 1,
    "embedding_size": 1,
    "num_hidden_groups": 1,
    "attention_key_size": 1,
}
_OPTIONAL = ("embedding_size", "num_hidden_groups", "attention_key_size")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaseConfig:
    """What every configuration can do: check its fields, copy, become a dictionary."""

    vocab_size: int
    initializer_range: float | None = 0.02

    def _check_integers(
        self, least: Mapping[str, int], optional: Sequence[str]
    ) -> None:
        for name, low in least.items():
            value = getattr(self, name)
            if value is None and name in optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ConfigError(
                    f"{name} must be a whole number >= {low}. Received: {value!r}"
                )

    def _check_choices(self, allowed: Mapping[str, Sequence[str]]) -> None:
        for name, choices in allowed.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"{name} must be one of {', '.join(choices)}. "
                    f"Received: {getattr(self, name)!r}"
                )

    def _check_number(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value < high:
            raise ConfigError(
                f"{name} must be a number in [{low:g}, {high:g}). Received: {value!r}"
            )

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(field.name for field in dataclasses.fields(cls))

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the named fields changed.

        Raises:
            ConfigError: A name is not a field, or a value is not allowed.
        """
        self.check_names(changes)
        return dataclasses.replace(self, **changes)

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Make sure that all names are fields.

        Raises:
            ConfigError: Some are not.
        """
        unknown = sorted(set(names) - set(cls.fields()))
        if unknown:
            raise ConfigError(
                f"{', '.join(unknown)}: no such {cls.__name__} field. Fields: "
                f"{', '.join(cls.fields())}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Build from what `to_dict` returned.

        Raises:
            ConfigError: A field is unknown, missing or has a bad value.
        """
        unknown = sorted(set(fields) - set(cls.fields()))
        if unknown or "vocab_size" not in fields:
            raise ConfigError(
                f"a {cls.__name__} needs vocab_size and has only the fields "
                f"{', '.join(cls.fields())}. Received: {', '.join(fields)}"
            )
        return cls(**fields)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(BaseConfig):
    """Hold every size and choice of an encoder.

    The names are those of the published `bert_config.json`. Fields below the
    sizes are the axes on which the families differ; each is read once, when the
    model is built.

    Args:
        vocab_size: Rows of the word table (V).
        hidden_size: Width of the hidden states (D).
        num_hidden_layers: Number of applied layers.
        num_attention_heads: Heads per layer (N). Must divide `hidden_size`.
        intermediate_size: Inner width of the feed-forward layers (I).
        max_position_embeddings: Rows of the position table. Not a limit where
            `position` is "nezha" or "rotary": these have no table; see also
            `hierarchical_positions`.
        type_vocab_size: Rows of the segment table; 0 means no table.
        hidden_act: Activation of the feed-forward layers and of the heads.
            "gelu" in a published JSON means `gelu_tanh` or `gelu_erf`; the
            family decides.
        hidden_dropout_prob: Dropout of embeddings and block outputs, in [0, 1).
        attention_probs_dropout_prob: Dropout of attention weights, in [0, 1).
        initializer_range: Standard deviation of the truncated normal
            initializer.
        layer_norm_eps: Epsilon of every layer normalisation.
        embedding_size: Width of the word table (E); None means `hidden_size`.
        embedding_projection: "after_norm": the sum of all tables is normalised
            at width E and then mapped to D by a dense layer with bias, if E and
            D differ (Google ALBERT, ELECTRA, Zhuiyi). "before_norm": only the
            word vector is mapped, by a matrix without bias, even if E equals D;
            the other tables have width D (brightmart ALBERT).
        num_hidden_groups: Number of weight groups that the layers share (ALBERT);
            None gives each layer weights of its own.
        inner_group_num: Blocks inside one group.
        ln_type: "post" normalises after each residual sum, "pre" before each
            sub-layer.
        ffn_groups: Groups of the feed-forward matrices; 16 in albert_zh's
            "google_fast" models, else 1.
        attention_key_size: Width of queries and keys per head; None means
            `hidden_size // num_attention_heads`, the width of the values.
        position: "absolute" is a learned table; "nezha" adds a fixed sinusoid of
            the clipped relative distance to scores and values; "rotary" turns
            queries and keys by their position (RoFormer).
        hierarchical_positions: None, or a number alpha in [0, 1), 0.4 in bert4keras,
            with which an "absolute" table of n rows serves n * n positions: those
            behind the table are composed of two rows (see `Embeddings`), the others
            stay as they are. Not every two positions differ at 0 and at 0.5.
        max_relative_position: Where "nezha" clips the distance.
        attention: What a token may attend to: "bidirectional" all real tokens;
            "causal" itself and those before; "unilm" the source (segment 0)
            freely and the target (segment 1) causally.
        pooler: Activation of the dense layer on the first token; "none" has no
            layer and returns the vector of the first token.

    Raises:
        ConfigError: A field has the wrong type or value, or two disagree.

    Example:
        >>> Config(vocab_size=21128, num_hidden_layers=4).head_size
        64

    Source: `BertConfig` of google-research/bert and its descendants.
    """

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_act: Activation = "gelu_tanh"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    embedding_size: int | None = None
    embedding_projection: Projection = "after_norm"
    num_hidden_groups: int | None = None
    inner_group_num: int = 1
    ln_type: NormPlacement = "post"
    ffn_groups: int = 1
    attention_key_size: int | None = None
    position: Position = "absolute"
    hierarchical_positions: float | None = None
    max_relative_position: int = 64
    attention: AttentionKind = "bidirectional"
    pooler: Pooler = "tanh"

    def __post_init__(self) -> None:
        """Check every field by itself, then those that must agree."""
        self._check_integers(_AT_LEAST, _OPTIONAL)
        self._check_choices(_CHOICES)
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            self._check_number(name, 0.0, 1.0)
        self._check_number("initializer_range", 0.0, math.inf)
        self._check_number("layer_norm_eps", 0.0, 1.0)
        if self.hierarchical_positions is not None:
            self._check_number("hierarchical_positions", 0.0, 1.0)
        self._check_agreement()

    def _check_agreement(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                "num_attention_heads must divide hidden_size. Received: "
                f"hidden_size={self.hidden_size}, "
                f"num_attention_heads={self.num_attention_heads}"
            )
        for name in ("hidden_size", "intermediate_size"):
            if getattr(self, name) % self.ffn_groups:
                raise ConfigError(
                    f"ffn_groups must divide {name}. Received: "
                    f"{name}={getattr(self, name)}, ffn_groups={self.ffn_groups}"
                )
        if self.position == "nezha" and self.key_size != self.head_size:
            raise ConfigError(
                "position='nezha' uses one table for keys and values, so "
                "attention_key_size must equal hidden_size / num_attention_heads. "
                f"Received: {self.key_size} and {self.head_size}"
            )
        if self.position == "rotary" and self.key_size % 2:
            raise ConfigError(
                "position='rotary' turns pairs of features, so the width of a key must "
                f"be even. Received: {self.key_size}"
            )
        if self.hierarchical_positions is not None and self.position != "absolute":
            raise ConfigError(
                "hierarchical_positions extends a table of positions, and "
                f"position={self.position!r} has none: its length is free. Received: "
                f"hierarchical_positions={self.hierarchical_positions}"
            )
        if self.num_hidden_groups is None and self.inner_group_num != 1:
            raise ConfigError(
                "inner_group_num needs num_hidden_groups. Received: "
                f"inner_group_num={self.inner_group_num}, num_hidden_groups=None"
            )

    @property
    def head_size(self) -> int:
        """Width of the values of one head (H)."""
        return self.hidden_size // self.num_attention_heads

    @property
    def key_size(self) -> int:
        """Width of the queries and keys of one head (K)."""
        return self.attention_key_size or self.head_size

    @property
    def max_positions(self) -> int | None:
        """Tokens that the model takes at most; None where nothing limits them."""
        if self.position != "absolute":
            return None
        rows = self.max_position_embeddings
        return rows if self.hierarchical_positions is None else rows * rows

    @property
    def word_size(self) -> int:
        """Width of the word table (E)."""
        return self.embedding_size or self.hidden_size

    @property
    def table_size(self) -> int:
        """Width of segment and position tables and of the embedding norm."""
        before = self.embedding_projection == "before_norm"
        return self.hidden_size if before else self.word_size

    @property
    def has_projection(self) -> bool:
        """Whether a matrix maps the embeddings from E to D."""
        before = self.embedding_projection == "before_norm"
        return before or self.word_size != self.hidden_size

    def groups(self) -> list[int]:
        """Return the weight group of each layer, in order of application.

        The division is done in floating point, as the originals do it: 4 layers
        in 12 groups use groups 0, 3, 6, 9.
        """
        if self.num_hidden_groups is None:
            return list(range(self.num_hidden_layers))
        layers, groups = self.num_hidden_layers, self.num_hidden_groups
        return [int(layer / layers * groups) for layer in range(layers)]


FIELDS = Config.fields()
