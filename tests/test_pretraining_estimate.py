"""Recipes of pre-trainings, and what they need."""

import dataclasses

import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.catalogue import CATALOGUE
from kerasplm.errors import ConfigError
from kerasplm.heads import PretrainedModel
from kerasplm.pretraining.estimate import Network, estimate
from kerasplm.pretraining.flops import matmul_flops
from kerasplm.pretraining.hardware import HARDWARE, hardware_named
from kerasplm.pretraining.recipes import RECIPES, recipe_named

SMALL = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooler": "none"},
        {"embedding_size": 16},
        {"embedding_size": 16, "embedding_projection": "before_norm"},
        {"num_hidden_groups": 1},
        {"num_hidden_groups": 1, "inner_group_num": 2},
        {"attention_key_size": 16},
        {"position": "nezha"},
        {"position": "rotary"},
    ],
)
def test_operations_are_those_of_the_graph(fields):
    config = plm.Config(**SMALL, **fields)
    rows, length, masked = 3, 10, 4
    model = PretrainedModel(plm.Encoder(config), ["mlm", "rtd"])
    ids = tf.TensorSpec((rows, length), tf.int32)
    places = tf.TensorSpec((rows, masked), tf.int32)
    call = tf.function(lambda ids, at: model({"token_ids": ids, "mlm_positions": at}))
    counted = matmul_flops(call.get_concrete_function(ids, places).graph)
    network = Network(config=config, predictions=masked, rtd=True)
    assert rows * network.forward(length) == counted


def test_a_larger_batch_costs_in_proportion():
    network = Network(config=plm.Config(**SMALL), predictions=4)
    one = estimate([network], 1000, [(10, 16, 8)])
    two = estimate([network], 1000, [(10, 16, 16)])
    split = estimate([network], 1000, [(10, 16, 16)], replicas=2)
    again = estimate([network], 1000, [(10, 16, 16)], accumulation=2)
    assert two.flops_per_step == 2 * one.flops_per_step
    assert two.activation_bytes == 2 * one.activation_bytes
    assert split.activation_bytes == again.activation_bytes == one.activation_bytes
    assert again.state_bytes > split.state_bytes == one.state_bytes == 16_000
    assert two.tokens == 10 * 16 * 16
    saved = estimate([network], 1000, [(10, 16, 16)], recompute=True)
    assert saved.activation_bytes < two.activation_bytes
    chip = HARDWARE["v100"]
    assert saved.seconds(chip, 1, "float16") > two.seconds(chip, 1, "float16")
    assert two.seconds(chip, 2, "float16") == two.seconds(chip, 1, "float16") / 2


def test_stages_add_up():
    network = Network(config=plm.Config(**SMALL))
    parts = [(9, 8, 4), (1, 16, 2)]
    found = estimate([network], 0, parts)
    expected = 3 * (36 * network.forward(8) + 2 * network.forward(16))
    assert found.flops_per_step * 10 == pytest.approx(expected, rel=1e-3)
    assert found.activation_bytes == max(
        4 * network.activations(8, half=False, recompute=False),
        2 * network.activations(16, half=False, recompute=False),
    )


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_stands_on_a_row_of_the_catalogue(name):
    recipe = recipe_named(name)
    assert recipe.config.vocab_size == 21128
    assert (recipe.generator is not None) == (recipe.objectives == ("rtd",))
    assert not recipe.start or recipe.start in CATALOGUE
    assert recipe.family == CATALOGUE[recipe.model].family
    limit = recipe.config.max_positions
    assert limit is None or recipe.data["max_length"] <= limit
    described = recipe.describe()
    assert recipe.source in described
    assert recipe.model in described
    assert "steps" in recipe.training or any("--steps" in n for n in recipe.notes)


def test_names_that_do_not_exist():
    with pytest.raises(ConfigError, match=r"did you mean albert-tiny"):
        recipe_named("albert-tniy")
    with pytest.raises(ConfigError, match=r"found 'v100\*0'"):
        hardware_named("v100*0")
    with pytest.raises(ConfigError, match="did you mean v100"):
        hardware_named("v1000*2")
    assert hardware_named("tpu-v3*8") == (HARDWARE["tpu-v3"], 8)


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe_named("albert-tiny").name = "x"
