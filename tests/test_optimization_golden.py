"""AdamW gives the traces of the originals' optimizers: rates, weights, moments."""

import contextlib

import keras
import numpy as np
import pytest

from kerasplm import AdamW, WarmupLinear
from tests.golden import Comparison, cases, read_arrays

TOLERANCE = 1e-6
# Update rules and schedules that come with pre-training.
LATER = ("lamb", "layerwise")


def variants():
    return [
        pytest.param(case, variant, id=variant["variant"])
        for case in cases("optimizers_tf1")
        for variant in case.meta["variants"]
        if list(case.folder.glob(f"{variant['variant']}.npz*"))
        and not any(word in variant["variant"] for word in LATER)
    ]


def named(path: str, value: np.ndarray) -> keras.Variable:
    """Return a variable under the original name, to which the exclusions apply."""
    *scopes, name = path.split("/")
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(keras.name_scope(scope))
        return keras.Variable(value, name=name)


class Recorded(keras.optimizers.schedules.LearningRateSchedule):
    """The rates that the original recorded, where its schedule is not BERT's."""

    def __init__(self, rates):
        self.rates = np.asarray(rates, "float32")

    def __call__(self, step):
        return keras.ops.take(self.rates, step)


@pytest.mark.parametrize(("case", "variant"), variants())
def test_adamw_golden(case, variant):
    name, kwargs = variant["variant"], variant["kwargs"]
    io = read_arrays(case.folder / f"{name}.npz")
    if name.startswith(("nezha", "electra")) or "learning_rate" in kwargs:
        schedule = Recorded(variant["lr"])
    else:
        warmup = kwargs["num_warmup_steps"]
        schedule = WarmupLinear(kwargs["init_lr"], kwargs["num_train_steps"], warmup)
    optimizer = AdamW(
        schedule,
        weight_decay=kwargs.get("weight_decay_rate", 0.01),
        beta_2=0.98 if name.startswith("roberta_zh_pretrain") else 0.999,
        # The "raw" traces are without the clipping of create_optimizer.
        global_clipnorm=None if name.endswith("raw") else 1.0,
        exclude_from_decay=["LayerNorm", "layer_norm", "bias"],
    )
    names = [key.removeprefix("init/") for key in io if key.startswith("init/")]
    variables = [named(path, io[f"init/{path}"]) for path in names]
    assert [v.path for v in variables] == names
    optimizer.build(variables)
    compare = Comparison(case, f" {name}")
    for t in range(variant["steps"]):
        rate = schedule(t)
        compare(f"rate {t}", rate, variant["lr"][t], TOLERANCE)
        grads = [keras.ops.convert_to_tensor(io[f"grad/{t}/{path}"]) for path in names]
        optimizer.apply(grads, variables)
        for n, path in enumerate(names):
            compare(f"{t} {path}", variables[n], io[f"param/{t}/{path}"], TOLERANCE)
            compare(f"{t} m {path}", optimizer._m[n], io[f"m/{t}/{path}"], TOLERANCE)
            compare(f"{t} v {path}", optimizer._v[n], io[f"v/{t}/{path}"], TOLERANCE)
    compare.finish()


def test_golden_variants_are_known():
    for case in cases("optimizers_tf1"):
        for variant in case.meta["variants"]:
            known = ("bert", "roberta", "albert", "nezha", "electra")
            assert variant["variant"].startswith(known)
