"""The pre-training losses of the goldens through the terms that training uses."""

import numpy as np
import pytest
import tensorflow as tf

from kerasplm import checkpoint
from kerasplm.families import FAMILIES
from kerasplm.pretraining.objectives import mlm, nsp, sop
from kerasplm.pretraining.starting import electra_model, pretraining_model
from tests.golden import HIDDEN, LOSS, Case, Comparison, every


def masked(io) -> dict:
    """Return the fields of the batch that tell of masks."""
    return {
        "mlm_positions": io["masked_lm_positions"],
        "mlm_ids": io["masked_lm_ids"],
        "mlm_weights": io["masked_lm_weights"],
    }


def compare_slots(compare: Comparison, case: Case, networks: list, loss_of) -> None:
    """The first moment after one step is 0.1 times the clipped gradient."""
    reader = tf.train.load_checkpoint(str(next(case.folder.glob("*.index")))[:-6])
    held = reader.get_variable_to_shape_map()
    weights = {}
    for network in networks:
        names = checkpoint.their_names(network, FAMILIES[network.load_report.family])
        for path, weight in checkpoint.named_weights(network).items():
            name, transposed = names[path]
            for ending in ("/adam_m", "/lamb_m"):
                if name + ending in held:
                    weights[name + ending] = (weight, transposed)
    if not weights:  # the compact copies have no slots
        return
    with tf.GradientTape() as tape:
        loss = loss_of()
    found = tape.gradient(loss, [weight.value for weight, _ in weights.values()])
    found = [tf.convert_to_tensor(g) for g in found]
    norm = float(case.io.get("train_global_norm", tf.linalg.global_norm(found)))
    for (slot, (_, transposed)), grad in zip(weights.items(), found, strict=True):
        theirs = reader.get_tensor(slot) / 0.1
        theirs = theirs.T if transposed else theirs
        compare(f"gradient {slot}", grad * min(1.0, 1.0 / norm), theirs, HIDDEN)


@every("pretrain")
def test_pretraining_terms_golden(case: Case):
    io, compare = case.io, Comparison(case, " (terms)")
    # roberta_zh builds the NSP head but trains only on MLM.
    pair = sop if "albert" in case.meta["family"] else nsp
    weight = 0.0 if case.meta["family"].startswith("roberta_zh") else 1.0
    model = pretraining_model(case.folder, [mlm(), pair(weight=weight)])
    assert model.fresh == ()
    labels = io["next_sentence_labels"][:, 0]
    batch = case.batch() | masked(io) | {"pair_labels": labels}
    batch["pair_weights"] = np.ones(len(labels), "float32")
    terms, measures = model.outcome(batch)
    compare("mlm loss", terms["mlm"].value, io["mlm_loss"], LOSS)
    share = terms[pair.name]
    sentence = share.total / share.count
    compare("sentence loss", sentence, io["sentence_loss"], LOSS)
    total = model.compute_loss(batch, None, model(batch))
    compare("loss", total, io["total_loss"], LOSS)
    total, count = measures["masked_lm_accuracy"]
    right = io["mlm_logits"].argmax(-1).ravel() == io["masked_lm_ids"].ravel()
    weights = io["masked_lm_weights"].ravel()
    if right.size == weights.size and not compare.compact:
        compare("hits", total, (right * weights).sum(), 0.5)
        compare("masked", count, weights.sum(), 1e-6)
    compare_slots(
        compare, case, [model], lambda: model.compute_loss(batch, None, model(batch))
    )
    compare.finish()


@every("pretrain_electra")
def test_electra_terms_golden(case: Case, monkeypatch: pytest.MonkeyPatch):
    """Its own draws are replaced by the recorded ones; all the rest is Electra's."""
    io, compare = case.io, Comparison(case, " (terms)")
    names = ("gen_weight", "disc_weight", "untied_generator", "electra_objective")
    hparams = case.meta["hparams"]
    options = {name: hparams[name] for name in names if name in hparams}
    model = electra_model(case.folder, **options)
    assert model.fresh == ()
    if "untied_generator_embeddings" in hparams:
        assert model.options.untied_generator_embeddings
    batch = case.batch("masked_input_ids") | masked(io)
    batch["draw_seeds"] = np.arange(len(io["input_ids"]))
    own = model(batch)
    if model.discriminator is not None:
        original = np.array(io["input_ids"])
        drawn = np.asarray(own["corrupted_ids"])
        places = np.zeros_like(original)
        np.put_along_axis(places, io["masked_lm_positions"], 1, 1)
        places[:, 0] = 0
        np.testing.assert_array_equal(drawn[places == 0], original[places == 0])
        np.testing.assert_array_equal(own["replaced"], drawn != original)
        recorded = {
            "sampled_ids": tf.gather(
                io["corrupted_input_ids"], io["masked_lm_positions"], batch_dims=1
            ),
            "corrupted_ids": io["corrupted_input_ids"],
            "replaced": io["is_fake_tokens"],
        }
        monkeypatch.setattr(model, "fake", lambda inputs, logits: recorded)
    terms, measures = model.outcome(batch)
    term = terms["mlm"]
    mlm_loss = term.total / (term.count + term.epsilon)
    compare("mlm loss", mlm_loss, io["mlm_loss"], LOSS)
    if "disc" in terms:
        term = terms["disc"]
        disc = term.total / (term.count + term.epsilon)
        compare("disc loss", disc, io["disc_loss"], LOSS)
        if "disc_example_loss" in io:
            total, count = measures["disc_loss"]
            theirs = io["disc_example_loss"].mean()
            compare("disc loss of rows", total / count, theirs, LOSS)
        found = io["disc_logits"] > 0
        right = (found == io["is_fake_tokens"]) * io["input_mask"]
        total, count = measures["disc_accuracy"]
        compare("disc hits", total, right.sum(), 0.5)
        compare("disc tokens", count, io["input_mask"].sum(), 0.5)
        total, count = measures["disc_recall"]
        fakes = io["is_fake_tokens"] * io["input_mask"]
        compare("disc recall", total, (right * fakes).sum(), 0.5)
        compare("disc fakes", count, fakes.sum(), 0.5)
        total, count = measures["disc_precision"]
        guesses = found * io["input_mask"]
        compare("disc precision", total, (right * guesses).sum(), 0.5)
        compare("disc guesses", count, guesses.sum(), 0.5)
    # The sum is near 100, where a step of float32 is 7.6e-6: four steps at the most.
    step = float(np.spacing(np.float32(io["total_loss"])))
    loss = sum(term.value for term in terms.values())
    compare("loss", loss, io["total_loss"], max(LOSS, 4 * step))
    compare_slots(
        compare,
        case,
        model.networks,
        lambda: model.compute_loss(batch, None, model(batch)),
    )
    compare.finish()


@every("helpers")
def test_scatter_golden(case: Case):
    from kerasplm.pretraining.draws import scatter_update

    compare = Comparison(case, " (scatter)")
    for name in ("electra", "electra_zh"):
        path = case.folder / f"{name}.npz"
        if not path.exists():
            continue
        io = np.load(path)
        given = (io[f"scatter/{key}"] for key in ("sequence", "updates", "positions"))
        out, written = scatter_update(*given)
        compare(f"{name} scatter", out, io["scatter/out"], 0.5)
        compare(f"{name} written", written, io["scatter/out_mask"], 0.5)
    compare.finish()
