"""The networks of every row of the catalogue, and their way to disk and back."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kerasplm as plm
from checkpoints_convert.verify import delta
from kerasplm.ahead import empty
from kerasplm.catalogue import CATALOGUE
from kerasplm.checkpoint import components, named_weights, their_names
from kerasplm.config import BaseConfig
from kerasplm.families import Family, family_named
from kerasplm.layers import initialize_with
from kerasplm.networks import network_of
from tests.variable_lists import Shapes

EQUAL = "bit-equal"
# What transformers has not, so that `save_huggingface` refuses the family.
NOT_IN_TRANSFORMERS = {
    "albert_brightmart": "words projected before the norm, without a bias",
    "zhuiyi": "BERT with factorised embeddings",
    "simbert": "linear pooler, UniLM attention",
    "nezha_gen": "causal BERT without segments",
    "nezha_gen_poetry": "causal BERT without segments",
    "t5_pegasus": "scaled output, positions in cross-attention",
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One network of a row: all rows have one, those of ELECTRA two.

    Args:
        row: Name in the catalogue.
        family: Name of its family.
        fields: Fields of its configuration.
        heads: Heads that its release holds.
        part: As for `kerasplm.load`.
    """

    row: str
    family: str
    fields: Mapping[str, Any]
    heads: tuple[str, ...]
    part: str | None

    @property
    def facts(self) -> Family:
        return family_named(self.family)

    @property
    def config(self) -> BaseConfig:
        return network_of(self.facts).config.from_dict(self.fields)

    @property
    def how(self) -> dict[str, Any]:
        """Arguments with which `kerasplm.load` gives the network with its heads."""
        return {"heads": "pretraining" if self.heads else None, "part": self.part}

    def build(self) -> keras.Model:
        """Return the network with its heads; its memory is not yet touched."""
        with initialize_with(empty):
            model = network_of(self.facts).model(self.config, family=self.family)
            return plm.PretrainedModel(model, self.heads) if self.heads else model

    def variables(self, model: keras.Model) -> Shapes:
        """Return names and shapes as the original code would list them."""
        names = their_names(model, self.facts)
        return {
            names[path][0]: tuple(weight.shape)[:: -1 if names[path][1] else 1]
            for path, weight in named_weights(model).items()
        }


def parts_of(name: str) -> list[Part]:
    """Return the networks of a row."""
    entry = CATALOGUE[name]
    parts = [Part(name, entry.family, entry.config, entry.heads, None)]
    if entry.generator:
        family = f"{entry.family}_generator"
        parts.append(Part(name, family, entry.generator, ("mlm",), "generator"))
    return parts


def small(part: Part) -> Part:
    """Return the same structure with heads of width 4, two layers, few words.

    All widths shrink in proportion, so that those that differ still do.
    """
    fields = dict(part.fields)
    hidden, heads = fields["hidden_size"], fields["num_attention_heads"]
    head = fields.get("attention_head_size") or hidden // heads
    for key in fields:
        if key.endswith("_size") and key not in ("vocab_size", "type_vocab_size"):
            fields[key] = fields[key] and fields[key] * 4 // head
        elif key.endswith("_layers"):
            fields[key] = 2
    fields["vocab_size"] = 97
    if "max_position_embeddings" in fields:
        fields["max_position_embeddings"] = 24
    return dataclasses.replace(part, fields=fields)


def models_of(parts: Sequence[Part], seed: int = 0) -> list[keras.Model]:
    """Return the networks with random weights; variables of one name are equal."""
    rng = np.random.default_rng(seed)
    models, known = [], {}
    for part in parts:
        model = part.build()
        names = their_names(model, part.facts)
        for path, weight in named_weights(model).items():
            value = known.setdefault(names[path][0], weight)
            if value is weight:
                value = rng.random(weight.shape, "float32") - np.float32(0.5)
            weight.assign(value)
        models.append(model)
    return models


def through_tf1(
    parts: Sequence[Part], models: Sequence[keras.Model], folder: Path
) -> Iterator[keras.Model]:
    """Write all networks of a row in one checkpoint, then load one after another."""
    plm.save_checkpoint(models, folder / "model.ckpt")
    for part in parts:
        yield plm.load(folder, **part.how)


def through_huggingface(part: Part, model: keras.Model, folder: Path) -> keras.Model:
    """Write a network for transformers and load it."""
    plm.save_huggingface(model, folder)
    return plm.load(folder, **part.how)


def difference(model: keras.Model, again: keras.Model) -> str:
    """Return EQUAL if configuration and all weights are, else what is not."""
    config, other = (next(iter(components(m).values())).config for m in (model, again))
    if config != other:
        return f"{config} became {other}"
    mine, theirs = named_weights(model), named_weights(again)
    if set(mine) != set(theirs):
        return f"other weights: {sorted(set(mine) ^ set(theirs))}"
    worst, same = 0.0, True
    for path, weight in mine.items():
        a, b = (keras.ops.convert_to_numpy(w) for w in (weight, theirs[path]))
        equal = a.dtype == b.dtype and a.shape == b.shape
        if not (equal and np.array_equal(a.view("uint32"), b.view("uint32"))):
            same, worst = False, max(worst, delta(a, b))
    return EQUAL if same else f"max |Δ| {worst:.3g}"
