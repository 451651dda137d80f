"""The catalogue: every row is checked by being there."""

import fnmatch
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kerasplm as plm
from kerasplm import ahead, checkpoint
from kerasplm.catalogue import CATALOGUE, VOCABULARIES, base, list_models, model_info
from kerasplm.config import FIELDS
from kerasplm.errors import CatalogueError
from kerasplm.families import Hints, recognise
from kerasplm.heads import HEADS, build_head
from kerasplm.layers import initialize_with
from kerasplm.published import complete_config
from kerasplm.sources import Source, read_json
from tests.test_published import FOLDER, Reader

SEQ2SEQ = [n for n, e in CATALOGUE.items() if "num_decoder_layers" in e.config]
ENCODERS = [n for n in CATALOGUE if n not in SEQ2SEQ]
PAIRS = [n for n, e in CATALOGUE.items() if e.generator is not None]
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
SIZES += ("intermediate_size", "max_position_embeddings", "type_vocab_size")
NAME = re.compile(
    r"[a-z0-9]+(-[a-z0-9]+)*-(zh|en|multilingual-cased)"
    r"\.(brightmart|google|hfl|huawei|zhuiyi)"
)
# Names: weights without heads, then those of the masked-language-model head, as
# computed by hand from the published sizes; None where nobody has.
COUNTS = {
    "bert-base-zh.google": (102_267_648, 613_256),
    "bert-wwm*-base-zh.hfl": (102_267_648, None),
    "roberta-wwm-ext-base-zh.hfl": (102_267_648, None),
    "roberta-wwm-ext-large-zh.hfl": (325_522_432, None),
    "rbt3-base-zh.hfl": (38_476_800, None),
    "rbt4-base-zh.hfl": (45_564_672, None),
    "rbt6-base-zh.hfl": (59_740_416, None),
    "rbtl3-large-zh.hfl": (61_001_728, None),
    "roberta-l6-base-zh.brightmart": (59_740_416, 613_256),
    "roberta-l12-base-zh.brightmart": (102_267_648, 613_256),
    "roberta-l24-base-zh.brightmart": (187_322_112, 613_256),
    "roberta-large-zh.brightmart": (325_522_432, 1_072_776),
    "albert-tiny-zh.brightmart": (4_175_152, 119_408),
    "albert-tiny-489k-zh.brightmart": (4_175_152, 119_408),
    "albert-base-zh.brightmart": (10_877_440, 613_256),
    "albert-base-36k-zh.brightmart": (10_877_440, 613_256),
    "albert-large-zh.brightmart": (17_009_664, 1_072_776),
    "albert-xlarge-*-zh.brightmart": (58_577_920, 4_221_576),
    "albert-tiny-google-zh.brightmart": (4_080_520, 61_448),
    "albert-small-google-zh.brightmart": (4_742_272, 70_664),
    "albert-base-zh.google": (10_547_968, 119_816),
    "albert-large-zh.google": (16_548_352, 152_584),
    "albert-xlarge-zh.google": (57_589_248, 283_656),
    "albert-xxlarge-zh.google": (221_459_968, 545_800),
    "nezha-base*-zh.huawei": (101_874_432, 102_489_226 - 101_874_432 - 1_538),
    "nezha-large*-zh.huawei": (324_998_144, 326_072_970 - 324_998_144 - 2_050),
    "nezha-gen-*zh.huawei": (101_675_520, 102_288_776 - 101_675_520),
    "wonezha-base-zh.zhuiyi": (110_851_584, None),
    "roberta-tiny-zh.zhuiyi": (7_499_416, 7_560_864 - 7_499_416),
    "roberta-small-zh.zhuiyi": (13_466_752, 13_537_416 - 13_466_752),
    "roberta-plus-tiny-zh.zhuiyi": (9_843_160, 9_904_608 - 9_843_160),
    "roberta-plus-small-zh.zhuiyi": (18_788_992, 18_859_656 - 18_788_992),
    "simbert-tiny-zh.zhuiyi": (6_546_712 + 97_656, 54_005),
    "simbert-small-zh.zhuiyi": (12_514_048 + 147_840, 12_725_109 - 12_661_888),
    "simbert-base-zh.zhuiyi": (95_960_832 + 590_592, 97_157_237 - 96_551_424),
    "wobert-base-zh.zhuiyi": (111_244_800, 111_870_514 - 111_244_800),
    "wobert-plus-base-zh.zhuiyi": (123_850_752, 124_492_880 - 123_850_752),
    "tinybert-4l-zh.huawei": (11_419_320, None),
    "tinybert-6l-zh.huawei": (59_740_416, None),
    "tinybert-general-4l-*": (14_350_248, None),
    "tinybert-general-6l-*": (66_955_008, None),
    "t5-pegasus-base-zh.zhuiyi": (275_029_248, None),
    "t5-pegasus-small-zh.zhuiyi": (95_262_080, None),
}
# The same for ELECTRA: the discriminator, its head, and what only the generator has:
# its layers and its head without the shared embeddings.
ELECTRA_COUNTS = {
    "electra*-small-zh.hfl": (12_280_576, 66_049, 637_768),
    "electra*-small-ex-zh.hfl": (24_495_104, 66_049, 1_254_344),
    "electra*-base-zh.hfl": (101_677_056, 591_361, 5_656_904),
    "electra*-large-zh.hfl": (324_472_832, 1_050_625, 19_502_984),
}
RELEASED = {
    "albert_tiny_zh.A": "albert-tiny-zh.brightmart",
    "albert_tiny_zh_google": "albert-tiny-google-zh.brightmart",
    "albert_small_zh_google": "albert-small-google-zh.brightmart",
    "chinese_simbert_L-4_H-312_A-12": "simbert-tiny-zh.zhuiyi",
}
# This copy of the configuration contradicts its project's own; a note says so.
MISTAKEN = {"albert_tiny_zh_google": {"num_hidden_layers": 1}}


# What a plausible row would have wrong.
TRAPS = {
    "albert-*-zh.google": {"hidden_act": "relu", "hidden_dropout_prob": 0.0},
    "albert-*-zh.brightmart": {"ln_type": "post", "hidden_act": "gelu_tanh"},
    "electra-*": {"hidden_act": "gelu_erf", "attention_probs_dropout_prob": 0.1},
    "electra-180g-small-ex-zh.hfl": {"embedding_size": None, "num_hidden_layers": 24},
    "roberta-l24-base-zh.brightmart": {"hidden_size": 768},
    "roberta-plus-tiny-*": {"pooler": "none", "head_size": 26, "key_size": 104},
    "simbert-*": {"pooler": "linear", "attention": "unilm", "hidden_act": "gelu_erf"},
    "nezha-gen-*": {"type_vocab_size": 0, "attention": "causal"},
    "nezha-large*": {"position": "nezha", "max_relative_position": 64},
    "tinybert-*4l-*": {"intermediate_size": 1200, "hidden_act": "gelu_erf"},
    "*": {"layer_norm_eps": 1e-12, "inner_group_num": 1, "ffn_groups": 1},
}


@functools.cache
def count(config):
    """Count the weights of an encoder; its memory is never touched."""
    with initialize_with(ahead.empty):
        return plm.Encoder(config).count_params()


def head_size(config, head):
    with initialize_with(ahead.empty):
        return build_head(config, head).count_params()


def config_of(name):
    return plm.Config.from_dict(CATALOGUE[name].config)


def the_one(table, name):
    (row,) = (row for pattern, row in table.items() if fnmatch.fnmatch(name, pattern))
    return row


@pytest.mark.parametrize("name", CATALOGUE)
def test_row(name):
    entry = CATALOGUE[name]
    assert entry.name == name
    assert NAME.fullmatch(name)
    assert name.endswith(f".{entry.publisher}")
    assert entry.family in plm.FAMILIES
    assert entry.title
    assert entry.licence
    words = VOCABULARIES[entry.vocabulary]
    assert words.tokens == entry.config["vocab_size"]
    assert set(entry.heads) <= set(HEADS)
    assert list(entry.learning_rates) == sorted(set(entry.learning_rates))
    assert all(1e-6 <= rate <= 1e-3 for rate in entry.learning_rates)
    for paper in filter(None, entry.paper.split("; ")):
        assert re.fullmatch(r"arXiv:\d{4}\.\d{5}|https://\S+", paper)
    assert re.fullmatch(r"([\d.]+ [MG]B)?", entry.size)
    assert len(set(entry.files)) == len(entry.files)
    # A row that names no file says why.
    assert entry.files or [n for n in entry.notes if "names of the files" in n]
    assert all(note.endswith(".") for note in entry.notes)


@pytest.mark.parametrize("name", CATALOGUE)
def test_sources(name):
    sources = CATALOGUE[name].sources
    assert sources
    assert len({source.url for source in sources}) == len(sources)
    by_hand = [isinstance(source, base.Manual) for source in sources]
    assert by_hand == sorted(by_hand), "what a program can fetch comes first"
    parts = set()
    for source in sources:
        assert re.fullmatch(r"https://[\w./%-]+", source.url)
        if isinstance(source, base.HuggingFace):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repo)
            parts.add(source.part)
        elif isinstance(source, base.Archive):
            assert source.url.endswith((".zip", ".tar.gz"))
            assert re.fullmatch(r"([0-9a-f]{64})?", source.sha256)
        else:
            assert source.host in ("Google Drive", "Baidu Pan")
            assert source.note
            assert re.fullmatch(r"(\w{4})?", source.code)
    pair = {"discriminator", "generator"}
    assert parts <= {""} if name not in PAIRS else parts == pair


@pytest.mark.parametrize("name", VOCABULARIES)
def test_vocabulary(name):
    assert re.fullmatch(r"([0-9a-f]{64})?", VOCABULARIES[name].sha256)
    assert VOCABULARIES[name].about.endswith(".")
    assert name in {entry.vocabulary for entry in CATALOGUE.values()}


@pytest.mark.parametrize("name", ENCODERS)
def test_parameters(name):
    entry, config = CATALOGUE[name], config_of(name)
    assert count(config) == entry.parameters
    assert "sentence_pair" not in entry.heads or config.pooler != "none"


@pytest.mark.parametrize("name", CATALOGUE)
def test_parameters_as_computed_by_hand(name):
    if name == "bert-base-multilingual-cased.google":
        # Google's Chinese BERT with another vocabulary.
        rows = (119_547 - 21_128) * 768
        assert CATALOGUE[name].parameters == 102_267_648 + rows
    elif name in PAIRS:
        parameters, head, _ = the_one(ELECTRA_COUNTS, name)
        assert CATALOGUE[name].parameters == parameters
        assert head_size(config_of(name), "rtd") == head
    else:
        parameters, head = the_one(COUNTS, name)
        assert CATALOGUE[name].parameters == parameters
        if head is not None:
            assert "mlm" in CATALOGUE[name].heads
            assert head_size(config_of(name), "mlm") == head


@pytest.mark.parametrize("name", PAIRS)
def test_generator(name):
    entry = CATALOGUE[name]
    config = plm.Config.from_dict(entry.generator)
    discriminator = config_of(name)
    assert count(config) == entry.generator_parameters
    assert config.word_size == discriminator.word_size
    assert config.hidden_size * 4 == discriminator.hidden_size
    width = config.word_size
    shared = (21_128 + 512 + 2 + 2) * width
    own = entry.generator_parameters - shared + head_size(config, "mlm")
    assert own == the_one(ELECTRA_COUNTS, name)[2]


def t5_parameters(c):
    """Count the weights of an mT5 with its own output matrix."""
    hidden = c["hidden_size"]
    inner = c["num_attention_heads"] * c["attention_head_size"]
    attention = 4 * hidden * inner + hidden
    ffn = 3 * hidden * c["intermediate_size"] + hidden
    positions = 2 * c["num_attention_heads"] * c["relative_buckets"]
    return (
        2 * c["vocab_size"] * hidden
        + c["num_hidden_layers"] * (attention + ffn)
        + c["num_decoder_layers"] * (2 * attention + ffn)
        + 2 * hidden
        + positions
    )


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_seq2seq(name):
    entry = CATALOGUE[name]
    assert t5_parameters(entry.config) == entry.parameters
    fields = set(SIZES) - {"max_position_embeddings", "type_vocab_size"}
    fields |= {"num_decoder_layers", "attention_head_size", "hidden_act"}
    fields |= {"hidden_dropout_prob", "layer_norm_eps", "cross_position_bias"}
    fields |= {"relative_buckets", "relative_max_distance", "scale_output"}
    assert set(entry.config) == fields


@pytest.mark.parametrize("name", ENCODERS)
def test_config_has_the_sizes_and_what_differs(name):
    entry = CATALOGUE[name]
    default = plm.Config(vocab_size=1)
    for fields in filter(None, (entry.config, entry.generator)):
        assert set(SIZES) <= set(fields) <= set(FIELDS)
        more = set(fields) - set(SIZES)
        assert not [key for key in more if fields[key] == getattr(default, key)]


@pytest.mark.parametrize(
    "name", [n for n in ENCODERS if CATALOGUE[n].family in plm.FAMILIES]
)
def test_row_agrees_with_its_family(name):
    entry, config = CATALOGUE[name], config_of(name)
    family = plm.FAMILIES[entry.family]
    assert entry.lowercase == (family.lowercase and "-cased" not in entry.vocabulary)
    assert {key: getattr(config, key) for key in family.fixed} == family.fixed
    if config.hidden_act.startswith("gelu"):
        assert config.hidden_act == family.gelu


@pytest.mark.parametrize("pattern", TRAPS)
def test_traps(pattern):
    names = fnmatch.filter(ENCODERS, pattern)
    assert names
    for name in names:
        config = config_of(name)
        assert {k: getattr(config, k) for k in TRAPS[pattern]} == TRAPS[pattern]


@pytest.mark.parametrize("folder", RELEASED)
def test_released_variables_agree_with_their_row(folder):
    entry = CATALOGUE[RELEASED[folder]]
    reader = Reader(FOLDER / folder)
    found = recognise(reader.shapes, where=folder, hints=Hints(path=folder))
    assert found.family.name == entry.family
    (file,) = Source(FOLDER / folder, None, folder).configs()
    assert file.name in entry.files
    config, _ = complete_config(found, reader.shapes, read_json(file), {}, str(file))
    ours = config_of(entry.name)
    mistaken = MISTAKEN.get(folder, {})
    assert config == ours.replace(**mistaken)
    assert all(getattr(ours, key) != wrong for key, wrong in mistaken.items())
    assert set(checkpoint.heads_in(found)) == set(entry.heads)
    assert count(config) == entry.parameters


def test_every_released_list_has_a_row():
    assert {folder.name for folder in FOLDER.iterdir()} == set(RELEASED)


def test_list_models():
    assert list_models() == sorted(CATALOGUE)
    assert list_models("NEZHA-base*.Huawei") == [
        "nezha-base-wwm-zh.huawei",
        "nezha-base-zh.huawei",
    ]
    assert list_models("gpt-2") == []


def test_model_info():
    assert model_info("BERT-base-zh.Google") is CATALOGUE["bert-base-zh.google"]
    with pytest.raises(CatalogueError, match=r"Did you mean electra-base-zh\.hfl"):
        model_info("electra-base-zh.hlf")
    with pytest.raises(CatalogueError, match=r"^'@': .*list_models\(\)"):
        model_info("@")


@pytest.mark.parametrize("name", CATALOGUE)
def test_describe(name):
    entry = CATALOGUE[name]
    text = " ".join(entry.describe().split())
    assert text.startswith(f"{name}: {entry.title} family: {entry.family} parameters: ")
    values = [entry.vocabulary, entry.licence, entry.paper, entry.size, *entry.files]
    values += [*entry.notes, f"{entry.parameters:,}", *entry.heads]
    values += [f"{rate:g}" for rate in entry.learning_rates]
    values += [s.repo if hasattr(s, "repo") else s.url for s in entry.sources]
    values += [source.note for source in entry.sources]
    values += [f"{key}={value!r}" for key, value in entry.config.items()]
    assert not [value for value in values if value not in text]


def test_catalogue_needs_neither_keras_nor_tensorflow():
    package = Path(plm.__file__).parent
    code = (
        "import sys, types; package = types.ModuleType('kerasplm')\n"
        f"package.__path__ = [{str(package)!r}]; sys.modules['kerasplm'] = package\n"
        "import kerasplm.catalogue\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
