"""Single functions of the originals, at the edges that whole models rarely meet."""

import keras
import numpy as np

import kerasplm as plm
from kerasplm.layers import ACTIVATIONS, GroupedDense
from kerasplm.relative import by_key, relative_table
from tests.golden import HIDDEN, Case, Comparison, every


@every("helpers")
def test_helpers_golden(case: Case):
    compare = Comparison(case)
    for file in sorted(case.folder.glob("*.npz")):
        with np.load(file) as data:
            compare_helpers(file.stem, {k: data[k] for k in data.files}, compare)
    compare.finish()


def compare_helpers(name, io, compare):
    erf = name.startswith("electra") or name == "nezha_gen"
    if "gelu/x" in io:
        ours = ACTIVATIONS["gelu_erf" if erf else "gelu_tanh"](io["gelu/x"])
        compare(f"{name} gelu", ours, io["gelu/y"], HIDDEN)
    if "layer_norm/x" in io:
        layer = keras.layers.LayerNormalization(epsilon=1e-12)
        layer.build(io["layer_norm/x"].shape)
        layer.gamma.assign(io["layer_norm/var/LayerNorm/gamma"])
        layer.beta.assign(io["layer_norm/var/LayerNorm/beta"])
        compare(f"{name} norm", layer(io["layer_norm/x"]), io["layer_norm/y"], HIDDEN)
    if "grouped/x" in io:
        compare_grouped(io, compare)
    for key in io:
        if key.startswith("rel/") and key.endswith("/matrix"):
            compare_relative(io, key.removesuffix("/matrix"), compare)


def compare_grouped(io, compare):
    kernel, x = io["var/dense/kernel"], io["grouped/x"]
    units = io["grouped/y"].shape[-1]
    config = plm.Config(
        vocab_size=1,
        hidden_size=x.shape[-1],
        num_attention_heads=1,
        intermediate_size=units,
        ffn_groups=kernel.shape[2],
    )
    layer = GroupedDense(config, units, "dense")
    layer.build(x.shape)
    layer.kernel.assign(kernel)
    layer.bias.assign(io["var/dense/bias"])
    compare("grouped dense", layer(x), io["grouped/y"], HIDDEN)
    plain = x @ io["var/plain/kernel"] + io["var/plain/bias"]
    compare("swish", ACTIVATIONS["swish"](plain), io["plain_swish/y"], HIDDEN)


def compare_relative(io, key, compare):
    length, size = (int(n) for n in key.split("/")[1].split("_"))
    config = plm.Config(
        vocab_size=1, hidden_size=size, num_attention_heads=1, position="nezha"
    )
    table = np.asarray(relative_table(config, length, "float32"))
    compare(f"{key} first", table[length - 1 :], io[f"{key}/first_row"], HIDDEN)
    compare(f"{key} last", table[:length], io[f"{key}/last_row"], HIDDEN)
    # The skewed product puts every distance at its place.
    rows = np.tile(np.arange(2.0 * length - 1), (1, 1, length, 1))
    distance = np.asarray(by_key(rows))[0, 0] - (length - 1)
    clip = config.max_relative_position
    ours = np.clip(distance, -clip, clip) + clip
    compare(f"{key} matrix", ours, io[f"{key}/matrix"], HIDDEN)
