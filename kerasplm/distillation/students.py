"""Where a student begins: random weights, or some layers of its teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasplm.catalogue import CATALOGUE
from kerasplm.config import Config
from kerasplm.encoder import Encoder
from kerasplm.errors import ConfigError, VocabError
from kerasplm.families import family_named
from kerasplm.saving import known_family, save_checkpoint
from kerasplm.tokenizing import load_tokenizer, save_tokenizer
from kerasplm.zoo import load, load_config


def first_layers(teacher: Encoder, layers: int | Sequence[int]) -> Encoder:
    """Return an encoder with some layers of another one, and copies of its weights.

    Args:
        teacher: The larger encoder.
        layers: How many of its first layers; or which, counted from 0.

    Raises:
        ConfigError: It has no such layers, or its layers share weights.

    Example:
        >>> first_layers(teacher, 3).config.num_hidden_layers  # doctest: +SKIP
        3
    """
    config = teacher.config
    chosen = list(range(layers)) if isinstance(layers, int) else list(layers)
    have = config.num_hidden_layers
    if not chosen or not all(0 <= n < have for n in chosen):
        raise ConfigError(f"expected layers from 0 to {have - 1}, found {chosen}")
    if config.num_hidden_groups is not None:
        raise ConfigError(
            "the layers of this model share weights (num_hidden_groups): expected a "
            "configuration of the student instead of some layers of the teacher"
        )
    small = config.replace(num_hidden_layers=len(chosen))
    student = Encoder(small, family=known_family(teacher))
    student.embeddings.set_weights(teacher.embeddings.get_weights())
    for block, n in zip(student.blocks, chosen, strict=True):
        block.set_weights(teacher.blocks[n].get_weights())
    if student.pooler is not None and teacher.pooler is not None:
        student.pooler.set_weights(teacher.pooler.get_weights())
    return student


def write_student(
    folder: Path,
    teacher: str | Path,
    *,
    config: str | Path | None = None,
    layers: int | Sequence[int] | None = None,
    family: str | None = None,
    seed: int = 0,
) -> None:
    """Write the student with which a distillation begins, with its vocabulary.

    Args:
        folder: Where to write.
        teacher: As for `load`; gives the vocabulary and, with `layers`, the weights.
        config: Random weights of this configuration: a JSON file, or a name of the
            catalogue, which is not downloaded.
        layers: Or: some layers of the teacher, as for `first_layers`.
        family: Whose names the student gets, where `config` does not tell.
        seed: Of the random weights.

    Raises:
        ConfigError: Both or none of `config` and `layers` are given, or one is bad.
    """
    if (config is None) == (layers is None):
        raise ConfigError("expected either a configuration or layers of the teacher")
    tokenizer = load_tokenizer(teacher, in_graph=False)
    if layers is not None:
        student = first_layers(load(teacher), layers)
    else:
        name = str(config)
        if family is None and name in CATALOGUE:
            family = CATALOGUE[name].family
        found = load_config(name, family=family)
        if not isinstance(found, Config):
            raise ConfigError(f"{config}: expected the configuration of an encoder")
        keras.utils.set_random_seed(seed)
        rows = load(teacher).config.vocab_size
        family = family or _own_family(name)
        student = Encoder(found.replace(vocab_size=rows), family=family)
    save_checkpoint(student, folder / "model.ckpt", family=family)
    save_tokenizer(tokenizer, folder)


def check_vocabularies(teacher: str | Path, student: str | Path) -> None:
    """Make sure that both models give every token the same id.

    Raises:
        VocabError: They do not; the message tells the first difference.
    """
    first, second = (
        list(load_tokenizer(x, in_graph=False).vocab) for x in (teacher, student)
    )
    if first == second:
        return
    pairs: list[tuple[Any, Any]] = list(zip(first, second, strict=False))
    number = next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))
    told = (x[number] if number < len(x) else "nothing" for x in (first, second))
    raise VocabError(
        f"{student}: expected the vocabulary of the teacher {teacher}, of "
        f"{len(first)} tokens, found another one, of {len(second)}: id {number} is "
        + " and ".join(map(repr, told))
    )


def _own_family(name: str) -> str | None:
    from kerasplm.files import read_json
    from kerasplm.published import own_block

    path = Path(name).expanduser()
    if not path.name.endswith(".json"):
        return None
    found = own_block(read_json(path)).get("family")
    return None if found is None else family_named(found).name
