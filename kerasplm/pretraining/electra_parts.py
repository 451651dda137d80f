"""What ELECTRA is made of: the generator's sizes, the options, shared tables."""

import dataclasses

from kerasplm.checkpoint import named_weights
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError
from kerasplm.heads import PretrainedModel

# What both networks must have alike to share their tables.
_SHARED = ("vocab_size", "word_size", "max_position_embeddings", "type_vocab_size")


def generator_config(
    config: Config,
    *,
    hidden_size: float = 0.25,
    layers: float = 1.0,
    untied_embeddings: bool = False,
) -> Config:
    """Return the configuration of a generator for a discriminator.

    Args:
        config: Of the discriminator.
        hidden_size: Share of its hidden size; 0.25 in all Chinese models.
        layers: Share of its number of layers.
        untied_embeddings: Whether the generator has tables of its own; they have its
            hidden size. Otherwise it shares those of the discriminator.

    Raises:
        ConfigError: Nothing is left of the hidden size or of the layers.

    Example:
        >>> generator_config(Config(vocab_size=21128)).hidden_size
        192

    Source: `get_generator_config` of google-research/electra run_pretraining.py.
    """
    hidden = round(config.hidden_size * hidden_size)
    return config.replace(
        hidden_size=hidden,
        num_hidden_layers=round(config.num_hidden_layers * layers),
        num_attention_heads=max(1, hidden // 64),
        intermediate_size=4 * hidden,
        attention_key_size=None,
        embedding_size=None if untied_embeddings else config.word_size,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElectraOptions:
    """How ELECTRA trains, under the names of its hyper-parameters.

    Args:
        gen_weight: Factor of the generator's loss.
        disc_weight: Factor of the discriminator's loss.
        temperature: Divides the generator's logits before a token is drawn.
        disallow_correct: Whether the original token is never drawn.
        uniform_generator: Whether the tokens are drawn from all alike; then there is
            no generator.
        untied_generator: Whether the generator is a network of its own. If not, one
            network is both.
        untied_generator_embeddings: Whether the generator has tables of its own.
        electra_objective: If false, one network is trained to find masked tokens.

    Raises:
        ConfigError: A number is out of range.

    Source: `PretrainingConfig` of google-research/electra configure_pretraining.py.
    """

    gen_weight: float = 1.0
    disc_weight: float = 50.0
    temperature: float = 1.0
    disallow_correct: bool = False
    uniform_generator: bool = False
    untied_generator: bool = True
    untied_generator_embeddings: bool = False
    electra_objective: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (self.gen_weight >= 0 and self.disc_weight >= 0):
            raise ConfigError(
                "gen_weight and disc_weight must not be negative. Received: "
                f"{self.gen_weight} and {self.disc_weight}"
            )
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature must be positive. Received: {self.temperature}"
            )

    @property
    def one_network(self) -> bool:
        """Whether one network holds both heads, or the MLM head alone."""
        uniform = self.electra_objective and self.uniform_generator
        alone = not (self.electra_objective and self.untied_generator)
        return alone and not uniform


def check(
    options: ElectraOptions,
    generator: PretrainedModel | None,
    discriminator: PretrainedModel | None,
) -> None:
    """Make sure that the networks are those that the options ask for.

    Raises:
        ConfigError: One is missing, too much, or lacks its head.
    """
    objective = options.electra_objective
    uniform = objective and options.uniform_generator
    wanted = {"generator": not uniform, "discriminator": objective}
    given = {"generator": generator, "discriminator": discriminator}
    heads = {"generator": "mlm", "discriminator": "rtd"}
    for name, model in given.items():
        if wanted[name] != (model is not None):
            raise ConfigError(
                f"with electra_objective={objective} and uniform_generator="
                f"{options.uniform_generator} expected {'a' if wanted[name] else 'no'} "
                f"{name}, found {'none' if model is None else 'one'}"
            )
        if model is not None and heads[name] not in model.heads:
            raise ConfigError(
                f"{name}: expected a PretrainedModel with the head {heads[name]!r}, "
                f"found {', '.join(model.heads) or 'no head'}"
            )
    both = generator is not None and discriminator is not None
    if both and (generator is discriminator) == options.untied_generator:
        raise ConfigError(
            f"untied_generator={options.untied_generator}: expected "
            f"{'two networks' if options.untied_generator else 'one network'}"
        )


def with_tables_of(
    discriminator: PretrainedModel, generator: PretrainedModel
) -> PretrainedModel:
    """Return the generator around the embedding tables of the discriminator.

    Both then have the same variables: what one learns the other has. All other weights
    keep their values.

    Raises:
        ConfigError: The tables have different sizes.
    """
    theirs, mine = discriminator.encoder, generator.encoder
    if mine.embeddings.word is theirs.embeddings.word:
        return generator
    for field in _SHARED:
        sizes = getattr(mine.config, field), getattr(theirs.config, field)
        if sizes[0] != sizes[1]:
            raise ConfigError(
                f"generator and discriminator share their tables: expected the same "
                f"{field}, found {sizes[0]} and {sizes[1]}. A generator with tables of "
                "its own needs untied_generator_embeddings=True"
            )
    encoder = Encoder(
        mine.config, name=mine.name, family=mine.family, tables=theirs.embeddings
    )
    tied = PretrainedModel(encoder, list(generator.heads), name=generator.name)
    shared = {id(weight) for weight in theirs.weights}
    values = named_weights(generator)
    for path, weight in named_weights(tied).items():
        if id(weight) not in shared:
            weight.assign(values[path])
    if hasattr(generator, "load_report"):
        tied.load_report = generator.load_report
    return tied
