"""Import, export, import: bit-equal, under the original names, for a TF1 Saver."""

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.families.base import SLOTS
from kerasplm.inspection import task_kind
from tests import golden
from tests.golden import Case, Comparison, cases

FINETUNED = ("finetune", "finetune_span", "finetune_tagging")
KINDS = ("pretrain", "pretrain_electra", "causal_lm", "bert4keras", *FINETUNED)


def variables(folder):
    prefix = str(next(folder.glob("*.index")))[: -len(".index")]
    reader = tf.train.load_checkpoint(prefix)
    return {n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}


def models_of(case: Case, folder):
    """Return the models that together hold all weights that we know of the case."""
    if case.kind in FINETUNED:
        return [plm.load(folder, heads=task_kind(folder))]
    models = [plm.load(folder, heads="pretraining")]
    if case.kind == "pretrain_electra" and models[0].load_report.family == "electra":
        models.append(plm.load(folder, heads="pretraining", part="generator"))
    return models


def restore_by_tf1_saver(prefix, shapes):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = {
            name: tf.compat.v1.get_variable(name, shape, use_resource=False)
            for name, shape in shapes.items()
        }
        tf.compat.v1.train.Saver(names).restore(session, str(prefix))
        return session.run(names)


@pytest.mark.parametrize("case", cases(*KINDS), ids=golden.ids)
@pytest.mark.filterwarnings("ignore:.*Saver is deprecated.*")
def test_import_export_import_golden(case: Case, tmp_path):
    folder = case.folder
    if case.kind in FINETUNED:
        folder = golden.complete(case, tmp_path)
    models = models_of(case, folder)
    prefix = tmp_path / "out" / "exported.ckpt"
    plm.save_checkpoint(models, prefix)
    before, after = variables(folder), variables(prefix.parent)
    kept = {n for n in before if not SLOTS.fullmatch(n)}
    if case.kind in FINETUNED:
        kept -= {n for m in models for n in m.load_report.unused}
    assert set(after) == kept
    for name in kept:
        assert after[name].dtype == np.float32
        np.testing.assert_array_equal(after[name], before[name].astype("float32"))
    restored = restore_by_tf1_saver(prefix, {n: v.shape for n, v in after.items()})
    for name, value in restored.items():
        np.testing.assert_array_equal(value, after[name])
    # Our export loads without being told anything, and is the same model.
    again = models_of(case, prefix.parent)
    for ours, theirs in zip(again, models, strict=True):
        assert ours.load_report.family == theirs.load_report.family
        a, b = checkpoint.named_weights(ours), checkpoint.named_weights(theirs)
        assert list(a) == list(b)
        for path in a:
            np.testing.assert_array_equal(a[path], b[path])
        assert encoder(ours).config == encoder(theirs).config
        if isinstance(ours, plm.Classifier):
            assert (ours.labels, ours.task) == (theirs.labels, theirs.task)
    compare = Comparison(case, " (export)")
    for name in kept:
        compare(name, restored[name], before[name], 1e-30)
    compare.finish()


def encoder(model):
    return checkpoint.components(model)["encoder"]
