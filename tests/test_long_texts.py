"""Texts beyond the table of positions, and models that have none."""

import json

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError
from kerasplm.exporting import check_length
from kerasplm.relative import position_rows
from tests.models import change

ROWS, ALPHA = 40, 0.3  # positions of `tiny_config`


def batch_of(length):
    rng = np.random.default_rng(length)
    return {"token_ids": rng.integers(1, 60, (2, length))}


def test_vectors_behind_the_table_are_composed(tiny_config):
    config = tiny_config.replace(hierarchical_positions=ALPHA)
    embeddings = plm.Encoder(config).embeddings
    table = np.asarray(embeddings.position, "float64")
    base = (table - ALPHA * table[0]) / (1 - ALPHA)
    for q in (0, 1, 39, 40, 41, 79, 80, 1000, 1599):
        wanted = ALPHA * base[q // ROWS] + (1 - ALPHA) * base[q % ROWS]
        ours = position_rows(embeddings.position, [q], ALPHA)[0]
        np.testing.assert_allclose(ours, wanted, atol=1e-7)
    assert config.max_positions == 1600
    assert len(embeddings.weights) == len(plm.Encoder(tiny_config).embeddings.weights)


def test_short_texts_are_not_changed(tiny_encoder):
    config = tiny_encoder.config.replace(hierarchical_positions=ALPHA)
    longer = plm.Encoder(config)
    longer.set_weights(tiny_encoder.get_weights())
    inputs = batch_of(ROWS)
    out = tiny_encoder(inputs)["sequence_output"]
    np.testing.assert_array_equal(longer(inputs)["sequence_output"], out)


def test_positions_can_be_given(tiny_config):
    encoder = plm.Encoder(tiny_config.replace(hierarchical_positions=ALPHA))
    inputs = batch_of(90)
    places = np.tile(np.arange(90), (2, 1))
    np.testing.assert_array_equal(
        encoder(inputs)["sequence_output"],
        encoder(inputs | {"position_ids": places})["sequence_output"],
    )
    before = encoder(inputs)["sequence_output"][:, :5]
    after = encoder(inputs | {"position_ids": places + 1})["sequence_output"][:, :5]
    assert np.abs(np.asarray(before) - np.asarray(after)).max() > 1e-4


def test_the_table_and_not_more_is_trained(tiny_config):
    encoder = plm.Encoder(tiny_config.replace(hierarchical_positions=ALPHA))
    model = plm.TASKS["tnews"].model(encoder, head_dropout=0.0)
    before = np.asarray(encoder.embeddings.position)
    model.train_on_batch(batch_of(ROWS + 3), np.array([0, 1]))
    changed = np.abs(np.asarray(encoder.embeddings.position) - before).max(1) > 0
    assert changed.all()


def test_it_stays_in_files(folder, tmp_path):
    encoder = plm.load(folder, hierarchical_positions=0.4)
    assert encoder.config.hierarchical_positions == 0.4
    inputs = batch_of(ROWS + 20)
    inputs["token_ids"] %= 50
    out = np.asarray(encoder(inputs)["sequence_output"])
    plm.save_checkpoint(encoder, tmp_path / "again" / "bert_model.ckpt")
    data = json.loads((tmp_path / "again" / "bert_config.json").read_text())
    assert data["kerasplm"]["hierarchical_positions"] == 0.4
    assert data["max_position_embeddings"] == ROWS
    again = plm.load(tmp_path / "again")
    np.testing.assert_array_equal(again(inputs)["sequence_output"], out)
    encoder.save(tmp_path / "model.keras")
    whole = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(whole(inputs)["sequence_output"], out)
    plain = plm.load(tmp_path / "again", hierarchical_positions=None)
    with pytest.raises(ValueError, match="40 positions"):
        plain(inputs)
    change(tmp_path / "again", {"kerasplm": {"hierarchical_positions": "0.4"}})
    with pytest.raises(ConfigError, match="hierarchical_positions must be a number"):
        plm.load(tmp_path / "again")


def test_a_file_without_it_does_not_mention_it(folder, tmp_path):
    plm.save_checkpoint(plm.load(folder), tmp_path / "a" / "bert_model.ckpt")
    data = json.loads((tmp_path / "a" / "bert_config.json").read_text())
    assert "hierarchical_positions" not in data["kerasplm"]


def test_other_formats_refuse_it(folder, tmp_path):
    encoder = plm.load(folder, hierarchical_positions=0.4)
    for save in (plm.save_huggingface, plm.save_model_garden):
        with pytest.raises(ConfigError, match="hierarchical_positions=0.4"):
            save(encoder, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_an_exported_model_takes_long_texts(folder, tmp_path):
    encoder = plm.load(folder, hierarchical_positions=0.4)
    tokenizer = plm.load_tokenizer(folder)
    plm.export(encoder, tokenizer, tmp_path / "out")
    import tensorflow as tf

    text = "一丁丂" * 40
    out = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"](
        tf.constant([text])
    )
    assert out["sequence_output"].shape == (1, 122, encoder.config.hidden_size)
    wanted = encoder(tokenizer([text]))["sequence_output"]
    np.testing.assert_allclose(out["sequence_output"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hierarchical_positions": 1.0}, "must be a number in"),
        ({"hierarchical_positions": -0.1}, "must be a number in"),
        ({"hierarchical_positions": True}, "must be a number in"),
        ({"hierarchical_positions": 0.4, "position": "nezha"}, "its length is free"),
        ({"hierarchical_positions": 0.4, "position": "rotary"}, "its length is free"),
    ],
)
def test_what_cannot_be_extended_says_so(tiny_config, changes, words):
    with pytest.raises(ConfigError, match=words):
        tiny_config.replace(**changes)


# -- how long the inputs of a task may be ----------------------------------------------


@pytest.mark.parametrize("position", ["nezha", "rotary"])
def test_without_a_table_nothing_limits_the_length(tiny_config, position):
    config = tiny_config.replace(position=position)
    assert config.max_positions is None
    assert check_length(config, None) is None
    assert check_length(config, 100_000) == 100_000
    out = plm.Encoder(config)(batch_of(3 * ROWS))
    assert out["sequence_output"].shape == (2, 3 * ROWS, 16)


def test_a_table_limits_the_length(tiny_config):
    assert check_length(tiny_config, None) == ROWS
    with pytest.raises(ConfigError, match="max_length=41, but the model has 40"):
        check_length(tiny_config, ROWS + 1)
    longer = tiny_config.replace(hierarchical_positions=0.4)
    assert check_length(longer, None) == check_length(longer, 1600) == 1600
    with pytest.raises(ConfigError, match="max_length=1601, but the model has 1600"):
        check_length(longer, 1601)


LONG = [("好" * 60, "1"), ("坏" * 55, "0"), ("好" * 50, "1"), ("坏" * 60, "0")]


def written(folder, data, config, family):
    """Write a model of that configuration, and data longer than its table."""
    prefix = folder / "bert_model.ckpt"
    plm.save_checkpoint(plm.Encoder(config), prefix, family=family)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "好", "坏"]
    tokens += [f"[unused{n}]" for n in range(config.vocab_size - len(tokens))]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    data.mkdir()
    lines = "label\ttext_a\n" + "".join(f"{y}\t{text}\n" for text, y in LONG)
    for name in ("train", "dev"):
        (data / f"{name}.tsv").write_text(lines, encoding="utf-8")


@pytest.mark.parametrize(
    ("position", "changes"),
    [
        ("nezha", {}),
        ("rotary", {}),
        ("absolute", {"hierarchical_positions": 0.4}),
        ("absolute", None),
    ],
)
def test_finetuning_on_long_texts(tiny_config, tmp_path, position, changes):
    model, data = tmp_path / "model", tmp_path / "data"
    pooler = "none" if position == "rotary" else "tanh"
    family = {"nezha": "nezha", "rotary": "roformer", "absolute": "bert"}[position]
    fields = {"position": position, "pooler": pooler}
    written(model, data, tiny_config.replace(**fields), family)
    task = plm.TASKS["chnsenticorp"]
    settings = task.settings(
        max_length=64, epochs=1, batch_size=2, warmup=0.0, **(changes or {})
    )
    out = tmp_path / "out"
    if changes is None:
        with pytest.raises(ConfigError, match="max_length=64, but the model has 40"):
            plm.finetune(model, task, data, out, settings=settings, verbose=0)
        assert not out.exists()
        return
    result = plm.finetune(model, task, data, out, settings=settings, verbose=0)
    assert result.model.encoder.config.position == position
    assert np.isfinite(result.scores["dev"]["loss"])
    again = plm.load(out / "model", heads="classification")
    batch = plm.load_tokenizer(out / "model")([LONG[0][0]], max_length=64)
    assert batch["token_ids"].shape == (1, 62)
    np.testing.assert_array_equal(again(batch), result.model(batch))
