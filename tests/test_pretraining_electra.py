"""ELECTRA: drawn tokens, options, shared tables, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.pretraining.draws import gather, uniform
from kerasplm.pretraining.electra import Electra
from kerasplm.pretraining.electra_parts import generator_config
from kerasplm.pretraining.objectives import mlm
from kerasplm.pretraining.starting import electra_model, pretraining_model
from kerasplm.pretraining.terms import curve, measured
from tests.pretraining_batches import batch_of, small_config
from tests.test_pretraining_models import loss_and_gradients

CONFIG = small_config(
    embedding_size=24,
    hidden_act="gelu_erf",
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
OPTIONS = {
    "plain": {},
    "disallow_correct": {"disallow_correct": True, "temperature": 0.7},
    "uniform": {"uniform_generator": True},
    "one network": {"untied_generator": False},
    "own tables": {"untied_generator_embeddings": True},
    "masked tokens alone": {"electra_objective": False},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_compiles_for_accelerators(option):
    model = electra_model(CONFIG, generator_hidden_size=0.5, **OPTIONS[option])
    batch = batch_of()
    loss, gradients, measures = loss_and_gradients(model, batch)
    compiled = loss_and_gradients(model, batch, jit=True)
    np.testing.assert_allclose(compiled[0], loss, rtol=1e-5)
    assert len(gradients) == len(model.trainable_variables)  # none is missing
    for ours, theirs in zip(compiled[1], gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    names = {"masked_lm_accuracy", "masked_lm_loss"}
    if option != "masked tokens alone":
        names |= {"sampled_masked_lm_accuracy", "disc_loss", "disc_auc"}
        names |= {"disc_accuracy", "disc_precision", "disc_recall"}
    assert set(measures) == names
    for total, count in measures.values():
        assert 0 <= measured(total, count) < 10


@pytest.mark.parametrize("option", OPTIONS)
def test_saved_under_the_original_names_and_loaded(option, tmp_path):
    model = electra_model(CONFIG, generator_hidden_size=0.5, **OPTIONS[option])
    assert model.fresh[0] == "encoder"
    plm.save_checkpoint(model, tmp_path / "electra_small")
    again = electra_model(tmp_path, **OPTIONS[option])
    assert again.fresh == ()
    batch = batch_of()
    ours, theirs = model(batch), again(batch)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    names = tf.train.load_checkpoint(str(tmp_path / "electra_small"))
    names = set(names.get_variable_to_shape_map())
    assert "electra/embeddings/word_embeddings" in names
    own = "generator/embeddings/word_embeddings" in names
    assert own == (option == "own tables")
    assert ("discriminator_predictions/dense_1/kernel" in names) == (
        option != "masked tokens alone"
    )
    assert ("generator_predictions/output_bias" in names) == (option != "uniform")
    later = plm.load(tmp_path)  # what fine-tuning loads
    encoded = model.encoder({"token_ids": batch["token_ids"]})["sequence_output"]
    found = later({"token_ids": batch["token_ids"]})["sequence_output"]
    np.testing.assert_array_equal(encoded, found)


def test_shared_tables_get_both_gradients():
    model = electra_model(CONFIG)
    word = model.discriminator.encoder.embeddings.word
    assert model.generator.encoder.embeddings.word is word
    assert sum(v is word for v in model.trainable_variables) == 1
    batch = batch_of()
    parts = []
    for weights in ((1.0, 50.0), (1.0, 0.0), (0.0, 50.0)):
        options = dict(zip(("gen_weight", "disc_weight"), weights, strict=True))
        one = Electra(model.generator, model.discriminator, **options)
        with tf.GradientTape() as tape:
            loss = sum(term.value for term in one.outcome(batch)[0].values())
        parts.append(np.asarray(tf.convert_to_tensor(tape.gradient(loss, word.value))))
    assert np.abs(parts[1]).max() > 1e-4
    assert np.abs(parts[2]).max() > 1e-4
    np.testing.assert_allclose(parts[0], parts[1] + parts[2], atol=1e-4)


def test_separate_networks_are_joined():
    """Two networks with tables of their own: the generator takes the other's."""
    one = electra_model(CONFIG, untied_generator_embeddings=True)
    wide = generator_config(CONFIG)
    generator = plm.PretrainedModel(plm.Encoder(wide), ["mlm"])
    kernel = np.array(generator.heads["mlm"].dense_layer.kernel.numpy())
    model = Electra(generator, one.discriminator)
    tied = model.generator.encoder.embeddings
    assert tied.word is one.discriminator.encoder.embeddings.word
    np.testing.assert_array_equal(
        model.generator.heads["mlm"].dense_layer.kernel, kernel
    )
    with pytest.raises(plm.PLMError, match="same word_size, found 8 and 24"):
        Electra(one.generator, one.discriminator)


def test_drawn_tokens_follow_the_generator():
    """Frequencies over many seeds are the softmax, at the temperature."""
    model = electra_model(CONFIG, temperature=2.0)
    logits = np.random.default_rng(0).normal(size=(1, 4, 60)).astype("float32") * 2
    count = 20000
    batch = {k: np.repeat(x[:1], count, axis=0) for k, x in batch_of(masked=4).items()}
    batch["mlm_weights"][:], batch["mlm_positions"][:] = 1.0, [1, 2, 3, 4]
    batch["draw_seeds"] = np.arange(count, dtype="int32")
    out = model.fake(batch, np.repeat(logits, count, axis=0))
    sampled = np.asarray(out["sampled_ids"])
    expected = np.exp(logits[0] / 2) / np.exp(logits[0] / 2).sum(-1, keepdims=True)
    for slot in range(4):
        found = np.bincount(sampled[:, slot], minlength=60) / count
        error = np.abs(found - expected[slot]) / np.sqrt(expected[slot] / count)
        assert error.max() < 5
    places = np.asarray(gather(out["corrupted_ids"], batch["mlm_positions"]))
    np.testing.assert_array_equal(places, sampled)
    np.testing.assert_array_equal(
        np.asarray(out["replaced"])[:, 1:5], sampled != batch["mlm_ids"]
    )


def test_correct_tokens_are_never_drawn_if_disallowed():
    model = electra_model(CONFIG, disallow_correct=True)
    batch = batch_of(rows=64)
    logits = 30.0 * np.eye(60, dtype="float32")[batch["mlm_ids"]]
    sampled = np.asarray(model.fake(batch, logits)["sampled_ids"])
    assert (sampled != batch["mlm_ids"]).all()
    plain = np.asarray(electra_model(CONFIG).fake(batch, logits)["sampled_ids"])
    np.testing.assert_array_equal(plain, batch["mlm_ids"])


def test_draws_do_not_depend_on_the_batch():
    model = electra_model(CONFIG)
    batch = batch_of(rows=8)
    whole = model(batch)
    for rows in (slice(0, 3), slice(3, 8)):
        part = model({name: x[rows] for name, x in batch.items()})
        np.testing.assert_array_equal(
            whole["corrupted_ids"][rows], part["corrupted_ids"]
        )


def test_half_precision_draws_in_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = electra_model(CONFIG)
        loss, gradients, _ = loss_and_gradients(model, batch_of(), jit=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients)
    noise = np.asarray(uniform(np.arange(1000), (500,)))
    assert 0 <= noise.min() < 1e-5 < 1 - 1e-5 < noise.max() < 1
    found = np.histogram(noise, 100, (0, 1))[0]
    assert abs(((found - 5000) ** 2 / 5000).sum() - 99) < 4.5 * np.sqrt(2 * 99)


def test_recomputation(tmp_path):
    model = electra_model(CONFIG, recompute=True)
    loss, gradients, _ = loss_and_gradients(model, batch_of(), jit=True)
    for network in model.networks:
        network.encoder.recompute = False
    plain, theirs, _ = loss_and_gradients(model, batch_of(), jit=True)
    np.testing.assert_allclose(loss, plain, rtol=1e-6)
    for one, other in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_packed_rows():
    model = electra_model(CONFIG)
    loss, _, _ = loss_and_gradients(model, batch_of(packed=True), jit=True)
    assert np.isfinite(loss)


def test_a_checkpoint_without_generator_and_head(tmp_path, caplog):
    encoder = plm.Encoder(CONFIG.replace(pooler="none"), family="electra")
    plm.save_checkpoint(encoder, tmp_path / "electra_small")
    model = electra_model(tmp_path)
    assert model.fresh == ("rtd", "generator")
    assert "holds no rtd and generator" in caplog.text
    plm.save_checkpoint(model, tmp_path / "next" / "electra_small")
    assert electra_model(tmp_path / "next").fresh == ()


def test_area_under_the_curve():
    """Against the definition: how often a positive has the higher score."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    parts = [
        curve(labels[n : n + 500], scores[n : n + 500]) for n in range(0, 3000, 500)
    ]
    total = [sum(np.asarray(part[n]) for part in parts) for n in (0, 1)]
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    exact = (pairs > 0).mean() + 0.5 * (pairs == 0).mean()
    assert measured(*total) == pytest.approx(exact, abs=1e-3)
    assert measured(0.0, 0.0) == 0.0


def test_sizes_of_the_generator():
    base = plm.Config(vocab_size=21128)
    config = generator_config(base)
    assert (config.hidden_size, config.num_attention_heads) == (192, 3)
    assert (config.intermediate_size, config.num_hidden_layers) == (768, 12)
    assert config.word_size == 768
    third = generator_config(base, hidden_size=0.33333, layers=0.5)
    assert (third.hidden_size, third.num_hidden_layers) == (256, 6)
    assert generator_config(base, untied_embeddings=True).word_size == 192


def test_bad_choices_are_refused(tmp_path):
    with pytest.raises(plm.PLMError, match="no such option"):
        electra_model(CONFIG, disk_weight=3)
    with pytest.raises(plm.PLMError, match="temperature"):
        electra_model(CONFIG, temperature=0.0)
    with pytest.raises(plm.PLMError, match="negative"):
        electra_model(CONFIG, gen_weight=-1.0)
    model = electra_model(CONFIG)
    with pytest.raises(plm.PLMError, match="expected a discriminator, found none"):
        Electra(model.generator, None)
    with pytest.raises(plm.PLMError, match="head 'rtd'"):
        Electra(model.generator, model.generator, untied_generator=False)
    with pytest.raises(plm.PLMError, match="one network"):
        Electra(model.generator, model.discriminator, untied_generator=False)
    for lost in ("mlm_ids", "draw_seeds"):
        batch = {k: x for k, x in batch_of().items() if k != lost}
        with pytest.raises(plm.PLMError, match=f"needs {lost}"):
            model(batch)
    bert = pretraining_model(small_config(), [mlm()], family="bert")
    plm.save_checkpoint(bert, tmp_path / "bert_model.ckpt")
    with pytest.raises(plm.PLMError, match="expected a checkpoint of an ELECTRA"):
        electra_model(tmp_path)


def test_serialised_by_keras():
    for option in OPTIONS.values():
        model = electra_model(CONFIG, **option)
        again = Electra.from_config(model.get_config())
        assert again.options == model.options
        assert len(again.weights) == len(model.weights)
