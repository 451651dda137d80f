"""The prediction loss for every kind of task; answers that are kept on the disk."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.distillation.batches import one_dictionary, split_batch
from kerasplm.distillation.known import with_known_answers
from kerasplm.tasks.features import dataset_of, joined
from kerasplm.tasks.targets import Targets
from tests.test_distillation import check_counts, values


def task_models(kind, config):
    models = []
    for hidden in (16, 8):
        encoder = plm.Encoder(config.replace(hidden_size=hidden))
        models.append(kind(encoder))
    return models


def choice_batch(batch):
    return {name: np.stack([x, x[::-1]], 1) for name, x in batch.items()}


KINDS = {
    "classes": (lambda e: plm.Classifier(e, ["a", "b", "c"]), np.array([0, 2])),
    "number": (lambda e: plm.Classifier(e, ["value"]), np.array([0.5, 2.0])),
    "tags": (lambda e: plm.EntityTagger(e, ["PER"]), np.ones((2, 9), "int32")),
    "spans": (
        plm.SpanExtractor,
        {"start_positions": np.array([5, 0]), "end_positions": np.array([6, 0])}
        | {"is_impossible": np.array([0, 0])},
    ),
    "choices": (plm.MultipleChoice, np.array([0, 1])),
}


@pytest.mark.parametrize("name", KINDS)
def test_answers_of_every_kind(name, tiny_config, tiny_batch):
    kind, targets = KINDS[name]
    teacher, student = task_models(kind, tiny_config)
    batch = choice_batch(tiny_batch) if name == "choices" else tiny_batch
    model = plm.Distillation(
        teacher, student, losses={"prediction": 1, "hard": 0.5}, temperature=2.0
    )
    terms, measures = model.outcome(one_dictionary(batch, targets))
    assert set(measures) == {"prediction_loss", "hard_loss"}
    hard = student.objective(batch, targets, student(batch))
    assert float(terms["hard"].value) == pytest.approx(0.5 * float(hard), rel=1e-6)
    twin = kind(plm.Encoder(teacher.encoder.config))
    twin.set_weights(teacher.get_weights())
    same = plm.Distillation(teacher, twin, losses={"prediction": 1})
    with tf.GradientTape() as tape:
        loss = sum(t.value for t in same.outcome(batch)[0].values())
    grads = tape.gradient(loss, [v.value for v in twin.trainable_variables])
    largest = max(float(np.abs(tf.convert_to_tensor(g)).max()) for g in grads)
    # Nothing is left to learn from an equal.
    assert largest < 1e-5
    layers = plm.Distillation(teacher, student, heads="mean")
    check_counts(layers, batch)
    assert all(float(t.total) > 0 for t in layers.outcome(batch)[0].values())


def test_known_answers_spare_the_teacher(tiny_config, tiny_batch):
    teacher, student = task_models(KINDS["classes"][0], tiny_config)
    model = plm.Distillation(teacher, student, losses={"prediction": 1})
    known = tiny_batch | {"teacher/logits": np.asarray(teacher(tiny_batch))}
    one, two = (values(model.outcome(b)[0]) for b in (tiny_batch, known))
    assert one == pytest.approx(two, rel=1e-6)
    inputs, targets, answers = split_batch(known)
    assert (set(inputs), targets, list(answers)) == (set(tiny_batch), None, ["logits"])


@dataclasses.dataclass(frozen=True)
class NoTags(Targets):
    """Targets of which the prediction loss needs nothing."""

    signature = tf.TensorSpec([None, None], tf.int32)

    def batch(self, chosen, length, rng):
        return np.zeros((len(chosen), length), "int32")


@pytest.mark.parametrize("name", ["classes", "number", "tags", "spans", "choices"])
def test_answers_on_the_disk(name, tiny_config, tmp_path):
    """They are those of the teacher, whatever stands in a batch together."""
    rng = np.random.default_rng(0)
    lengths = (4, 7, 0, 5, 6, 3) if name == "choices" else (4, 7, 3, 5, 6, 3)
    rows = [(rng.integers(1, 60, n).tolist(), [0] * n) for n in lengths]
    rows = [rows[n] for n in (0, 1, 3, 2, 4, 5)]  # only the last choice may be empty
    more = {"choices": 2} if name == "choices" else {}
    features = joined(rows, 0, targets=NoTags(), **more)
    teacher, student = task_models(KINDS[name][0], tiny_config)
    model = plm.Distillation(teacher, student, losses={"prediction": 1})
    folder = tmp_path / "answers"
    known = with_known_answers(features, teacher, 2, folder, "digest")
    (file,) = folder.iterdir()
    before = file.stat().st_mtime_ns
    again = with_known_answers(features, teacher, 2, folder, "digest")
    assert file.stat().st_mtime_ns == before
    for chosen in (np.arange(len(features)), np.array([1, 0])):
        live = model.outcome(one_dictionary(*features.batch(chosen)))[0]
        for one in (known, again):
            batch = one_dictionary(*one.batch(chosen))
            assert any(key.startswith("teacher/") for key in batch)
            told = model.outcome(batch)[0]
            assert values(told) == pytest.approx(values(live), rel=1e-5)
    file.write_bytes(b"broken")
    with_known_answers(features, teacher, 2, folder, "digest")
    assert file.stat().st_size > 100
    data = dataset_of(known, [([np.array([0, 1])], (0,))])
    (batch,) = data.map(one_dictionary)
    assert "target" in batch
