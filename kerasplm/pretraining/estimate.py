"""What a pre-training needs before it begins: operations, memory, time."""

import dataclasses
from collections.abc import Sequence

from kerasplm.config import Config
from kerasplm.pretraining.hardware import Hardware

# Model FLOPs utilisation that is assumed where nothing was measured.
UTILISATION = 0.4


def forward_flops(config: Config, length: int) -> int:
    """Count multiplications and additions of the encoder for one row.

    Those of all matrix products; the rest is below a hundredth.

    Args:
        config: Of the encoder.
        length: Tokens of the row.

    Example:
        >>> c = Config(vocab_size=9, hidden_size=4, num_hidden_layers=1,
        ...     num_attention_heads=2, intermediate_size=8, pooler="none")
        >>> forward_flops(c, 1)
        272
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    keys = config.num_attention_heads * config.key_size
    dense = 2 * keys * hidden + 2 * hidden * hidden
    dense += 2 * hidden * inner // config.ffn_groups
    pairs: float = keys + hidden  # scores and averages, for each pair of tokens
    if config.position == "nezha":
        pairs += (keys + hidden) * (2 * length - 1) / length
    total = _layers(config) * length * round(2 * dense + 2 * length * pairs)
    if config.has_projection:
        total += 2 * length * config.word_size * hidden
    if config.pooler != "none":
        total += 2 * hidden * hidden
    return total


def mlm_flops(config: Config, predictions: int) -> int:
    """Count the same of the masked language model head.

    Args:
        config: Of the encoder below.
        predictions: Tokens that it scores.
    """
    width = config.hidden_size * config.table_size
    if config.table_size != config.word_size:
        width += config.table_size * config.word_size
    return 2 * predictions * (width + config.word_size * config.vocab_size)


def _layers(config: Config) -> int:
    return len(config.groups()) * config.inner_group_num


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One encoder of a training step, and what it computes for each row.

    Args:
        config: Of the encoder.
        predictions: Tokens of a row that an MLM head scores; 0 has no such head.
        rtd: Whether it tells replaced tokens.
    """

    config: Config
    predictions: int = 0
    rtd: bool = False

    def forward(self, length: int) -> int:
        """Return the operations for one row."""
        hidden = self.config.hidden_size
        total = forward_flops(self.config, length)
        if self.predictions:
            total += mlm_flops(self.config, self.predictions)
        if self.rtd:
            total += 2 * length * hidden * (hidden + 1)
        return total

    def activations(self, length: int, half: bool, recompute: bool) -> int:
        """Return the bytes that one row keeps for the backward pass, about.

        Counted are the tensors that the backward pass of each operation needs when
        nothing is fused; XLA needs less.
        """
        config, size = self.config, 2 if half else 4
        heads, hidden = config.num_attention_heads, config.hidden_size
        layer = (
            length
            * size
            * (
                # Inputs and outputs of five dense layers, two residual sums, two norms.
                11 * hidden + 2 * heads * config.key_size + 3 * config.intermediate_size
            )
        )
        # Scores in float32, weights before and after dropout.
        layer += heads * length * length * (4 + 4 + 2 * size)
        if config.position == "nezha":
            layer += 4 * heads * length * length * size
        layers = _layers(config)
        kept = layer + layers * length * hidden * size if recompute else layers * layer
        embeddings = 4 * length * config.table_size * size
        # Logits, their softmax and their gradient.
        logits = 3 * self.predictions * config.vocab_size * 4
        return kept + embeddings + logits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one training needs.

    Args:
        parameters: Trained weights.
        flops_per_step: Multiplications and additions of one update over all replicas;
            what is computed again to save memory is not counted.
        tokens: That the whole training sees, padding included.
        state_bytes: Of weights, gradients and moments, on every replica.
        activation_bytes: Of one replica's part of a batch, about.
        steps: Updates.
        recompute: Whether activations are computed again.
    """

    parameters: int
    flops_per_step: int
    tokens: int
    state_bytes: int
    activation_bytes: int
    steps: int
    recompute: bool

    @property
    def memory(self) -> int:
        """Bytes on each replica, without what the runtime itself takes."""
        return self.state_bytes + self.activation_bytes

    def seconds(
        self,
        hardware: Hardware,
        replicas: int,
        precision: str,
        utilisation: float = UTILISATION,
    ) -> float:
        """Return how long the training takes.

        Args:
            hardware: What one replica can do.
            replicas: How many there are.
            precision: Of the activations.
            utilisation: Share of the peak that is reached.
        """
        speed = hardware.peak(precision) * replicas * utilisation
        work = self.flops_per_step * (4 / 3 if self.recompute else 1)
        return self.steps * work / speed


def estimate(
    networks: Sequence[Network],
    parameters: int,
    parts: Sequence[tuple[int, int, int]],
    *,
    replicas: int = 1,
    accumulation: int = 1,
    precision: str = "float32",
    recompute: bool = False,
) -> Estimate:
    """Estimate one training.

    The backward pass of a matrix product is two products of the same size.

    Args:
        networks: The encoders that run in one step.
        parameters: Trained weights.
        parts: (steps, tokens per row, rows per update) of each stage.
        replicas: Over which a batch is divided.
        accumulation: Parts into which a replica divides its rows.
        precision: Of the activations.
        recompute: Whether activations are computed again in the backward pass.

    Example:
        >>> c = Config(vocab_size=9, hidden_size=4, num_hidden_layers=1,
        ...     num_attention_heads=2, intermediate_size=8, pooler="none")
        >>> estimate([Network(config=c)], 100, [(10, 1, 2)]).flops_per_step
        1632
    """
    half = precision != "float32"
    work, most = 0, 0
    for steps, length, rows in parts:
        work += steps * rows * sum(3 * n.forward(length) for n in networks)
        own = -(-rows // (replicas * accumulation))
        most = max(
            most, own * sum(n.activations(length, half, recompute) for n in networks)
        )
    steps = sum(part[0] for part in parts)
    copies = 16 + (2 if half else 0) + (4 if accumulation > 1 else 0)
    return Estimate(
        parameters=parameters,
        flops_per_step=work // steps,
        tokens=sum(steps * length * rows for steps, length, rows in parts),
        state_bytes=parameters * copies,
        activation_bytes=most,
        steps=steps,
        recompute=recompute,
    )
