"""Every row of the catalogue: its variables, and its way to disk and back.

`python -m benchmarks.every_model` does the same at full size.
"""

import dataclasses
import fnmatch
import functools
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest

import kerasplm as plm
from benchmarks.every_model import check, models_table
from checkpoints_convert.verify import outputs, random_batch
from kerasplm.catalogue import CATALOGUE
from kerasplm.checkpoint import named_weights
from kerasplm.errors import ConfigError, FamilyError
from kerasplm.families import FAMILIES, Hints, match, recognise
from tests.every_model import (
    EQUAL,
    NOT_IN_TRANSFORMERS,
    difference,
    models_of,
    parts_of,
    small,
    through_huggingface,
    through_tf1,
)
from tests.variable_lists import FOLDER, RELEASED, described, released

PARTS = [part for name in CATALOGUE for part in parts_of(name)]
IDS = [f"{part.row}-{part.part or 'model'}" for part in PARTS]
every_row = pytest.mark.parametrize("name", CATALOGUE)
every_part = pytest.mark.parametrize("part", PARTS, ids=IDS)


def small_parts(name):
    return [small(part) for part in parts_of(name)]


def structure(name):
    return repr([dataclasses.replace(part, row="") for part in small_parts(name)])


# Made small, rows that differ in depth and words alone are one: it is tried once.
FIRST = {structure(name): name for name in reversed(CATALOGUE)}


@functools.cache
def small_row(name):
    """Return the networks of a row, made small, with random weights."""
    parts = small_parts(name)
    return parts, models_of(parts)


@functools.cache
def names_and_shapes(family, fields, heads):
    """Return what a network of full size has; rows that agree in it share the work."""
    part = next(
        p
        for p in PARTS
        if (p.family, tuple(p.fields.items()), p.heads) == (family, fields, heads)
    )
    model = part.build()
    return list(named_weights(model)), part.variables(model)


def full_size(part):
    return names_and_shapes(part.family, tuple(part.fields.items()), part.heads)


def batch_of(model):
    batch = random_batch([model])
    if "target_ids" not in batch:
        half = np.arange(batch["token_ids"].shape[1]) >= 10
        batch["segment_ids"] = np.stack([half, ~half & False]).astype("int64")
    return batch


def same_outputs(model, again):
    batch = batch_of(model)
    mine, theirs = outputs(model, batch), outputs(again, batch)
    assert set(mine) == set(theirs)
    for key, value in mine.items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(theirs[key], value)


# -- names, at full size -------------------------------------------------------------


@every_part
def test_names_are_those_of_the_original(part):
    paths, variables = full_size(part)
    names = [part.facts.theirs(path)[0] for path in paths]
    assert len(set(names)) == len(paths) == len(variables)
    assert [part.facts.ours(name)[0] for name in names] == paths
    assert match(part.facts, names).exact
    expected = described(part.row, part.family, part.fields, part.heads)
    assert variables == expected


@every_part
def test_parameters_are_those_of_the_description(part):
    """Counted from the typed list alone: a second way to the number of the row."""
    entry = CATALOGUE[part.row]
    body = described(part.row, part.family, part.fields, ())
    count = sum(math.prod(shape) for shape in body.values())
    assert count == (entry.generator_parameters if part.part else entry.parameters)


@pytest.mark.parametrize("name", RELEASED)
def test_names_are_those_of_the_released_file(name):
    (part,) = parts_of(name)
    assert full_size(part)[1] == released(name)


def test_every_released_file_is_compared():
    assert {folder.name for folder in FOLDER.iterdir()} == set(RELEASED.values())
    assert {part.family for part in PARTS} < set(FAMILIES)


@every_row
def test_family_is_found_by_what_the_release_shows(name):
    """By its variables, the names of its files, its configuration and vocabulary."""
    entry, parts = CATALOGUE[name], parts_of(name)
    variables = set().union(*(full_size(part)[1] for part in parts))
    slots = {f"{v}/adam_{m}" for v in variables for m in "mv"} | {"global_step"}
    relative = entry.config.get("position") == "nezha"
    hints = Hints(
        path=" ".join((name, *entry.files)),
        config_keys=frozenset({"use_relative_position"} if relative else ()),
        words=entry.vocabulary in ("wobert", "zhuiyi-50000"),
        mask=entry.vocabulary != "simbert",
    )
    for part in parts:
        found = recognise(variables | slots, where=name, hints=hints, part=part.part)
        assert found.family.name == part.family
        assert set(found.names) == set(full_size(part)[0])
        assert set(found.slots) == slots


# -- there and back, made small ------------------------------------------------------


@every_part
def test_small_network_keeps_the_structure(part):
    fields, less = part.fields, small(part).fields
    assert set(fields) == set(less)
    sizes = {k for k, value in fields.items() if fields[k] != less[k]}
    assert all(
        isinstance(fields[key], int) and fields[key] > less[key] for key in sizes
    )
    widths = ("hidden_size", "embedding_size", "intermediate_size")
    for a in widths:
        for b in widths:
            if fields.get(a) and fields.get(b):
                assert (fields[a] < fields[b]) == (less[a] < less[b])
    config, tiny = part.config, small(part).config
    if isinstance(config, plm.Config):
        assert config.has_projection == tiny.has_projection
        assert (config.key_size == config.head_size) == (
            tiny.key_size == tiny.head_size
        )
        ratio = config.key_size // config.head_size
        assert tiny.key_size // tiny.head_size == ratio


@functools.cache
def found_through_tf1(name):
    """Return family and differences of each network that was written and loaded."""
    parts, models = small_row(name)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        loaded = through_tf1(parts, models, Path(folder))
        for model, again in zip(models, loaded, strict=True):
            assert set(again.load_report.loaded) == set(named_weights(model))
            same_outputs(model, again)
            found.append((again.load_report.family, difference(model, again)))
    return found


@every_row
def test_through_tf1(name):
    expected = [(part.family, EQUAL) for part in parts_of(name)]
    assert len(expected) == (2 if CATALOGUE[name].generator else 1)
    assert found_through_tf1(FIRST[structure(name)]) == expected


@functools.cache
def found_as_the_catalogue_loads(name):
    parts, models = small_row(name)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        plm.save_checkpoint(models, f"{folder}/model.ckpt")
        for file in Path(folder).glob("*.json"):
            data = json.loads(file.read_text())
            assert data.pop("kerasplm")["family"] in {part.family for part in parts}
            file.write_text(json.dumps(data))
        for part, model in zip(parts, models, strict=True):
            fields = {key: x for key, x in part.fields.items() if key != "pooler"}
            family = None if part.part else part.family
            again = plm.load(folder, family=family, **part.how, **fields)
            found.append((again.load_report.family, difference(model, again)))
    return found


@every_row
def test_as_the_catalogue_loads_it(name):
    """Without what our exports add to the JSON, by the row's family and fields."""
    expected = [(part.family, EQUAL) for part in parts_of(name)]
    assert found_as_the_catalogue_loads(FIRST[structure(name)]) == expected


@functools.cache
def found_through_huggingface(name):
    found = []
    for part, model in zip(*small_row(name), strict=True):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "out"
            try:
                again = through_huggingface(part, model, folder)
            except FamilyError as error:
                assert not folder.exists()
                found.append(str(error).split(";")[0])
            else:
                same_outputs(model, again)
                found.append(difference(model, again))
    return found


@every_row
def test_through_huggingface(name):
    refused = "family {!r} cannot be written for transformers"
    expected = [
        refused.format(p.family) if p.family in NOT_IN_TRANSFORMERS else EQUAL
        for p in parts_of(name)
    ]
    assert found_through_huggingface(FIRST[structure(name)]) == expected


# The nearest family of transformers, and what its code lacks.
LACKS = {
    "albert_brightmart": ("albert", ["embedding_projection='before_norm'"]),
    "zhuiyi": ("bert", ["embedding_size="]),
    "simbert": ("bert", ["attention='unilm'", "pooler='linear'"]),
    "nezha_gen": ("bert", ["attention='causal'"]),
    "nezha_gen_poetry": ("bert", ["attention='causal'"]),
}


@pytest.mark.parametrize(
    "name", [n for n, entry in CATALOGUE.items() if entry.family in LACKS]
)
def test_refused_for_what_its_network_is(name, tmp_path):
    (part,) = (small(part) for part in parts_of(name))
    nearest, words = LACKS[part.family]
    with pytest.raises(ConfigError, match="of transformers has no") as error:
        plm.save_huggingface(plm.Encoder(part.config, family=nearest), tmp_path)
    assert not [word for word in words if word not in str(error.value)]
    assert ("attention_key_size=" in str(error.value)) == ("-plus-" in name)
    assert not list(tmp_path.iterdir())


def test_no_row_is_left_out():
    # The encoder-decoder has no encoder to try in another family.
    assert set(NOT_IN_TRANSFORMERS) == {*LACKS, "t5_pegasus"}
    refused = [p.row for p in PARTS if p.family in NOT_IN_TRANSFORMERS]
    patterns = ("albert-*.brightmart", "roberta-*.zhuiyi", "simbert-*", "nezha-gen-*")
    patterns += ("t5-pegasus-*",)
    expected = {n for p in patterns for n in fnmatch.filter(CATALOGUE, p)}
    assert set(refused) == {n for n in expected if "-google-" not in n}


# -- the checks themselves -----------------------------------------------------------


def test_a_difference_is_found(tmp_path):
    (part,), (model,) = small_row("rbt3-base-zh.hfl")
    (again,) = through_tf1([part], [model], tmp_path)
    path = "encoder/layer_1/ffn/inner/bias"
    mine, theirs = named_weights(model)[path], named_weights(again)[path]
    zeros = np.zeros(mine.shape, "float32")
    mine.assign(zeros)
    for value, words in (
        (zeros, EQUAL),
        (-zeros, "max |Δ| 0"),
        (np.nextafter(zeros, np.float32(1)), "max |Δ| 1.4e-45"),
        (zeros + np.nan, "max |Δ| inf"),
    ):
        theirs.assign(value)
        assert difference(model, again) == words
    small_row.cache_clear()
    assert "became" in difference(
        again, plm.Encoder(again.config.replace(vocab_size=9))
    )
    bare = plm.Encoder(again.config.replace(pooler="none"))
    bare.config = again.config
    assert "encoder/pooler/kernel" in difference(again, bare)


def test_networks_of_one_checkpoint_share_their_tables():
    (first, second), models = small_row("electra-small-zh.hfl")
    theirs = [
        part.variables(model)
        for part, model in zip((first, second), models, strict=True)
    ]
    shared = set(theirs[0]) & set(theirs[1])
    assert shared == {
        name for name in theirs[0] if name.startswith("electra/embeddings/")
    }
    a, b = (named_weights(model)["encoder/embeddings/word"] for model in models)
    assert a is not b
    np.testing.assert_array_equal(a, b)


# -- the benchmark and its page ------------------------------------------------------


def test_at_full_size():
    """Of the smallest rows; the benchmark itself takes minutes."""
    row = check("albert-tiny-google-zh.brightmart")
    assert row.good
    assert (row.parameters, row.variables) == ("4,080,520", 32)
    assert (row.names, row.huggingface) == ("released list", EQUAL)
    row = check("albert-tiny-zh.brightmart")
    assert row.good
    assert row.huggingface.startswith("not in transformers: ")
    for cell in ({"names": "differ"}, {"tf1": "max |Δ| 1"}, {"as_catalogued": "no"}):
        assert not dataclasses.replace(row, **cell).good


def test_page_is_that_of_the_catalogue():
    page = (Path(__file__).parents[1] / "docs" / "catalogue.md").read_text("utf-8")
    names = plm.list_models()
    assert models_table(names) in page
    checked = page.split("## What was checked")[1]
    assert [line.split("`")[1] for line in checked.split("\n")[4:-1]] == names
