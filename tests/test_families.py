"""The tables: bijections, complete, and telling families apart."""

import re

import pytest

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.errors import FamilyError
from kerasplm.families import FAMILIES, Hints, match, recognise
from kerasplm.families.base import SLOTS
from kerasplm.task_models import SpanExtractor

# The smallest network that uses every entry of a family's table.
NETWORKS = {
    "bert": {},
    "wobert": {"hidden_act": "gelu_erf"},
    "albert_brightmart": {
        "embedding_size": 8,
        "embedding_projection": "before_norm",
        "num_hidden_groups": 1,
        "ln_type": "pre",
    },
    "albert": {"embedding_size": 8, "num_hidden_groups": 2, "inner_group_num": 2},
    "electra": {"embedding_size": 8, "pooler": "none", "hidden_act": "gelu_erf"},
    "electra_shared": {"embedding_size": 8, "pooler": "none"},
    "electra_generator": {"embedding_size": 8, "pooler": "none"},
    "electra_generator_untied": {"embedding_size": 8, "pooler": "none"},
    "nezha": {"position": "nezha"},
    "wonezha": {"position": "nezha", "hidden_act": "gelu_erf"},
    "nezha_gen": {"type_vocab_size": 0, "pooler": "none", "attention": "causal"},
    "nezha_gen_poetry": {"type_vocab_size": 0, "pooler": "none"},
    "roformer": {"embedding_size": 8, "position": "rotary"},
    "tinybert": {},
    "zhuiyi": {"embedding_size": 8, "attention_key_size": 12},
    "simbert": {"embedding_size": 8, "pooler": "linear", "attention": "unilm"},
    "t5_pegasus": {},
    "mt5": {"cross_position_bias": False},
}


def weights_of(name, tiny_config):
    """Return all weights that the family's table can name, of a small network."""
    table = FAMILIES[name].weights
    if FAMILIES[name].network == "seq2seq":
        config = plm.Seq2SeqConfig(vocab_size=9, hidden_size=8, num_hidden_layers=2)
        return checkpoint.named_weights(plm.Seq2Seq(config.replace(**NETWORKS[name])))
    encoder = plm.Encoder(tiny_config.replace(**NETWORKS[name]))
    heads = [h for h in ("mlm", "sentence_pair", "rtd") if f"{h}/" in str(list(table))]
    weights = dict(checkpoint.named_weights(plm.PretrainedModel(encoder, heads)))
    if any(path.startswith("classifier/") for path in table):
        weights |= checkpoint.named_weights(plm.Classifier(encoder, ["a", "b"]))
    spans = {"span/logits/kernel": "bert", "span/start/{w}": "albert"}
    for path in spans.keys() & table.keys():
        reads = plm.Encoder(encoder.config.replace(attention="bidirectional"))
        model = SpanExtractor(reads, head=spans[path])
        weights |= checkpoint.named_weights(model)
    if "fit_dense/{w}" in table:
        teacher = plm.Encoder(encoder.config.replace(hidden_size=16))
        weights |= checkpoint.named_weights(plm.Distillation(teacher, encoder))
    return weights


def test_every_family_is_tested():
    assert set(NETWORKS) == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_table_is_a_bijection(name, tiny_config):
    family = FAMILIES[name]
    weights = weights_of(name, tiny_config)
    theirs = {path: family.theirs(path)[0] for path in weights}
    assert len(set(theirs.values())) == len(theirs)
    for ours, name in theirs.items():
        found = family.ours(name)
        assert found is not None
        assert found[0] == ours
        assert not SLOTS.fullmatch(name)
    used = {
        re.sub(r"\{\w+\}", "*", template)
        for template in family.weights
        for path in weights
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    }
    unused = {re.sub(r"\{\w+\}", "*", t) for t in family.weights} - used
    assert not unused, "table entries that no weight has"


@pytest.mark.parametrize("name", FAMILIES)
def test_family_recognises_its_own_variables(name, tiny_config):
    family = FAMILIES[name]
    weights = weights_of(name, tiny_config)
    names = [family.theirs(path)[0] for path in weights]
    slots = [f"{n}/{slot}" for n in names for slot in ("adam_m", "adam_v", "lamb_m")]
    found = match(family, [*names, *slots, "global_step"])
    assert found.exact
    assert set(found.names) == set(weights)
    assert len(found.slots) == len(slots) + 1
    hints = Hints(
        path=family.path_hint.split("|")[0],
        words=family.vocab_hint == "words" or None,
        mask=False if family.vocab_hint == "no_mask" else None,
    )
    part = "generator" if family.part == "generator" else None
    got = recognise(names, where="here", hints=hints, part=part)
    assert got.family.name == name
    assert recognise(names, where="here", family=name).family.name == name


JUDGES = ("none", "first", "start")
SCOPED = [{"joint": j, "answerable": a} for j in (True, False) for a in JUDGES]


@pytest.mark.parametrize("name", ["electra", "electra_shared"])
def test_heads_of_one_scope_are_told_by_their_layers(name, tiny_config):
    family = FAMILIES[name]
    encoder = plm.Encoder(tiny_config.replace(**NETWORKS[name]))
    models = [SpanExtractor(encoder, head="electra", options=o) for o in SCOPED]
    models.append(plm.Classifier(encoder, ["a", "b"]))
    body = variables(name, tiny_config)
    seen = set()
    for model in models:
        head = [p for p in checkpoint.named_weights(model) if "encoder" not in p]
        names = [family.theirs(path, task="t")[0] for path in head]
        assert len(set(names)) == len(names)
        found = match(family, [*body, *names, *(f"{n}/adam_m" for n in names)])
        assert found.exact
        assert {path: found.names[path] for path in head} == dict(
            zip(head, names, strict=True)
        )
        assert not found.other
        assert found.tasks == {head[0].split("/")[0]: ("t",)}
        seen.add(frozenset(names))
        # With a layer too many or too few it is a head that nobody knows.
        for broken in ([*names, "task_specific/t/crf/kernel"], names[1:]):
            found = match(family, [*body, *broken])
            assert found.exact
            assert found.other == tuple(sorted(broken))
            assert not found.tasks
    assert len(seen) == len(models) == len(family.heads)


def test_heads_of_two_scopes(tiny_config):
    """A classifier stays one, whatever the head of another task has."""
    family = FAMILIES["electra"]
    span = ("dense", "qa_hidden", "dense_1")
    names = [f"task_specific/cmrc/{n}/{w}" for n in span for w in ("kernel", "bias")]
    classifier = [f"task_specific/xnli/dense/{w}" for w in ("kernel", "bias")]
    found = match(family, [*variables("electra", tiny_config), *names, *classifier])
    assert found.exact
    assert not found.other
    assert found.tasks == {"span": ("cmrc",), "classifier": ("xnli",)}
    assert found.names["classifier/logits/bias"] == classifier[1]


def variables(name, tiny_config, without=()):
    family = FAMILIES[name]
    paths = [p for p in weights_of(name, tiny_config) if not p.startswith(without)]
    return [family.theirs(p)[0] for p in paths]


def test_unknown_variables_are_named(tiny_config):
    names = [*variables("bert", tiny_config), "bert/encoder/layer_0/gau/kernel"]
    with pytest.raises(FamilyError) as error:
        recognise(names, where="some.ckpt")
    for word in ("some.ckpt", "'bert'", "layer_0/gau/kernel", "albert"):
        assert word in str(error.value)


def test_absent_variables_are_named(tiny_config):
    names = [n for n in variables("bert", tiny_config) if "query" not in n]
    names = [n for n in names if "/key/" not in n and "/value/" not in n]
    with pytest.raises(FamilyError, match="no variables .*attention/self"):
        recognise(names, where="x")


def test_another_t5_is_refused(tiny_config):
    """T5 itself has no gate and no output layer, and names its norms otherwise."""
    names = variables("t5_pegasus", tiny_config)
    names = [n.replace("rms_norm", "layer_norm") for n in names if "logits" not in n]
    with pytest.raises(FamilyError) as error:
        recognise(names, where="x")
    for word in ("decoder/logits/kernel", "layer_001/layer_norm", "'t5_pegasus'"):
        assert word in str(error.value)


def test_t5_pegasus_is_told_from_mt5(tiny_config):
    names = variables("t5_pegasus", tiny_config)
    with pytest.raises(FamilyError, match="'t5_pegasus'.* or .*'mt5'"):
        recognise(names, where="x")

    def of(hints):
        return recognise(names, where="x", hints=hints).family.name

    assert of(Hints(path="chinese_t5_pegasus_small")) == "t5_pegasus"
    assert of(Hints(path="mt5-small")) == "mt5"
    assert of(Hints(words=True)) == "t5_pegasus"


def test_layers_are_padded_with_zeros():
    family = FAMILIES["t5_pegasus"]
    name = "decoder/block_011/layer_001/EncDecAttention/o"
    path = "seq2seq/decoder/layer_11/cross_attention/output/kernel"
    assert family.ours(name) == (path, {"i": "011"})
    assert family.theirs(path) == (name, False)
    assert family.ours(name.replace("011", "11")) is None


def test_ambiguous_without_hints(tiny_config):
    gen = variables("nezha_gen", tiny_config)
    with pytest.raises(FamilyError, match="'nezha_gen'.* or .*'nezha_gen_poetry'"):
        recognise(gen, where="x")
    assert recognise(gen, where="x", family="nezha_gen").family.gelu == "gelu_erf"
    hints = Hints(path="models/poetry")
    assert recognise(gen, where="x", hints=hints).family.name == "nezha_gen_poetry"


def test_simbert_is_not_taken_for_bert(tiny_config):
    names = variables("simbert", tiny_config, without=("classifier",))
    with pytest.raises(FamilyError, match="'zhuiyi'.* or .*'simbert'"):
        recognise(names, where="x")

    def of(hints):
        return recognise(names, where="x", hints=hints).family.name

    assert of(Hints(path="chinese_simbert_L-4")) == "simbert"
    assert of(Hints(mask=False)) == "simbert"
    assert of(Hints(mask=True)) == "zhuiyi"


def test_nezha_is_told_from_roformer(tiny_config):
    names = variables("nezha", tiny_config)
    with pytest.raises(FamilyError, match="'nezha'.* or .*'roformer'"):
        recognise(names, where="x")
    keys = frozenset({"use_relative_position"})
    assert recognise(names, where="x", hints=Hints(config_keys=keys)).exact
    assert recognise(names, where="x", hints=Hints(path="NEZHA-base")).exact


def test_wonezha_is_told_by_its_words_or_its_name(tiny_config):
    names = variables("nezha", tiny_config)
    keys = frozenset({"use_relative_position"})

    def of(**hints):
        return recognise(names, where="x", hints=Hints(**hints)).family.name

    for known in (keys, frozenset()):
        assert of(path="chinese_wonezha_L-12", config_keys=known) == "wonezha"
        assert of(path="nezha-base", config_keys=known) == "nezha"
        assert of(path="nezha-base", config_keys=known, words=True) == "nezha"
    assert of(path="model", config_keys=keys, words=True) == "wonezha"
    assert of(path="model", config_keys=keys, words=False) == "nezha"


def test_unknown_family_suggests():
    with pytest.raises(FamilyError, match="Did you mean 'albert'"):
        recognise([], where="x", family="alber")


def test_generator_of_a_bert(tiny_config):
    with pytest.raises(FamilyError, match="needs an ELECTRA"):
        recognise(variables("bert", tiny_config), where="x", part="generator")


@pytest.mark.parametrize(
    "name",
    [
        "global_step",
        "bert/pooler/dense/bias/adam_m",
        "bert/pooler/dense/bias/lamb_v",
        "bert/pooler/dense/bias/Adam_1",
        "beta1_power",
        "adam_beta2_power",
        "loss_scale_state/good_steps",
        "bert/embeddings/word_embeddings/shadow",
        "encoder/block_000/layer_000/SelfAttention/q_slot_vc",
        "encoder/rms_norm/scale_slot_v",
    ],
)
def test_slots(name):
    assert SLOTS.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["bert/embeddings/LayerNorm/beta", "output_bias", "generator/x", "Adamant"]
)
def test_no_slots(name):
    assert not SLOTS.fullmatch(name)
