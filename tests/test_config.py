import dataclasses

import pytest

from kerasplm import Config
from kerasplm.config import FIELDS
from kerasplm.errors import ConfigError

SMALL = {"vocab_size": 9, "hidden_size": 24, "num_attention_heads": 4}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"num_attention_heads": 5}, ("divide", "24", "5")),
        ({"num_hidden_layers": 0}, ("num_hidden_layers", "0")),
        ({"vocab_size": "9"}, ("vocab_size", "'9'")),
        ({"vocab_size": True}, ("vocab_size", "True")),
        ({"vocab_size": None}, ("vocab_size", "None")),
        ({"hidden_act": "gelu"}, ("gelu_tanh", "gelu_erf", "'gelu'")),
        ({"hidden_dropout_prob": 1.0}, ("hidden_dropout_prob", "1.0")),
        ({"hidden_dropout_prob": "0.1"}, ("hidden_dropout_prob", "'0.1'")),
        ({"layer_norm_eps": -1.0}, ("layer_norm_eps",)),
        ({"position": "none"}, ("absolute", "nezha", "rotary", "none")),
        ({"position": "rotary", "attention_key_size": 7}, ("rotary", "even", "7")),
        ({"attention": "prefix"}, ("unilm", "prefix")),
        ({"pooler": "relu"}, ("pooler", "relu")),
        ({"ln_type": "postln"}, ("post", "pre")),
        ({"ffn_groups": 5}, ("ffn_groups", "hidden_size")),
        ({"position": "nezha", "attention_key_size": 7}, ("nezha", "7", "6")),
        ({"inner_group_num": 2}, ("num_hidden_groups",)),
        ({"embedding_size": 0}, ("embedding_size", "0")),
    ],
)
def test_bad_values_are_named(fields, words):
    with pytest.raises(ConfigError) as error:
        Config(**(SMALL | fields))
    for word in words:
        assert word in str(error.value)


def test_replace_and_from_dict_refuse_unknown_fields():
    config = Config(**SMALL)
    with pytest.raises(ConfigError, match="hiden_size"):
        config.replace(hiden_size=3)
    with pytest.raises(ConfigError, match="no_such"):
        Config.from_dict({"vocab_size": 3, "no_such": 1})
    with pytest.raises(ConfigError, match="vocab_size"):
        Config.from_dict({})


def test_dict_round_trip_and_frozen():
    config = Config(**SMALL, attention="unilm", embedding_size=8)
    assert Config.from_dict(config.to_dict()) == config
    assert set(config.to_dict()) == set(FIELDS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.vocab_size = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("layers", "groups", "expected"),
    [
        (4, 12, [0, 3, 6, 9]),  # albert_zh tiny_google_fast
        (3, 2, [0, 0, 1]),
        (4, 1, [0, 0, 0, 0]),
        (3, None, [0, 1, 2]),
    ],
)
def test_groups(layers, groups, expected):
    config = Config(**SMALL, num_hidden_layers=layers, num_hidden_groups=groups)
    assert config.groups() == expected


def test_derived_sizes():
    plain = Config(**SMALL)
    assert (plain.head_size, plain.key_size, plain.word_size) == (6, 6, 24)
    assert not plain.has_projection
    factorised = Config(**SMALL, embedding_size=8, attention_key_size=12)
    assert factorised.has_projection
    assert (factorised.key_size, factorised.table_size) == (12, 8)
    before = Config(**SMALL, embedding_size=24, embedding_projection="before_norm")
    assert before.has_projection  # even if E equals D
    assert before.table_size == 24
