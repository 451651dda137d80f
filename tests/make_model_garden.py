"""Write tiny random models by tf-models-official, with what it computes for them.

    python tests/make_model_garden.py tests/model_garden

Needs an environment of its own with tf-models-official (2.20 wrote those here).
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from official.modeling import tf_utils
from official.nlp.modeling import layers, models, networks

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_layers": 2,
    "num_attention_heads": 4,
    "max_sequence_length": 12,
    "type_vocab_size": 2,
    "intermediate_size": 24,
}
GELU = tf_utils.get_activation("gelu")
RNG = np.random.default_rng(0)
IDS = {
    "input_word_ids": RNG.integers(1, 40, (2, 9)).astype("int32"),
    "input_type_ids": np.array([[0] * 5 + [1] * 4, [0] * 9], "int32"),
    "input_mask": np.array([[1] * 9, [1] * 6 + [0] * 3], "int32"),
}
POSITIONS = np.tile(np.arange(9, dtype="int32"), (2, 1))


def pretrainer(encoder, activation, heads=()):
    model = models.BertPretrainerV2(
        encoder_network=encoder, mlm_activation=activation, classification_heads=heads
    )
    model(model.inputs)  # makes the variables
    return model


def config(activation, **more):
    names = {"num_layers": "num_hidden_layers"}
    names["max_sequence_length"] = "max_position_embeddings"
    data = {names.get(key, key): value for key, value in SIZES.items()}
    return data | {"hidden_act": activation} | more


def write(folder, items, encoder, model=None, step=False):
    """Set random weights, then keep the checkpoint and the outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    for variable in (model or encoder).weights:
        scale = 0.2 if len(variable.shape) > 1 else 0.1
        mean = 1.0 if "gamma" in variable.name else 0.0
        variable.assign(RNG.normal(mean, scale, variable.shape))
    saved = tf.train.Checkpoint(**items)
    prefix = str(folder / "model.ckpt")
    _ = saved.save(prefix) if step else saved.write(prefix)
    (folder / "checkpoint").unlink(missing_ok=True)
    found = encoder(IDS)
    states = found.pop("encoder_outputs")
    arrays = dict(found) | {f"hidden_{n}": x for n, x in enumerate(states, 1)}
    if isinstance(model, models.BertPretrainerV2):
        out = model(IDS | {"masked_lm_positions": POSITIONS})
        keep = ("mlm_logits", "next_sentence")
        arrays |= {name: out[name] for name in keep if name in out}
    elif model is not None:
        arrays["logits"] = model(IDS)
    arrays = {name: np.asarray(x) for name, x in arrays.items()}
    np.savez_compressed(folder / "io.npz", **IDS, **arrays)


def main(target: Path) -> None:
    encoder = networks.BertEncoderV2(**SIZES, activation=GELU)
    encoder(encoder.inputs)
    write(target / "bert", {"encoder": encoder}, encoder)

    encoder = networks.BertEncoderV2(**SIZES, activation=GELU, embedding_width=8)
    encoder(encoder.inputs)
    write(target / "factorised", {"encoder": encoder}, encoder)

    encoder = networks.BertEncoderV2(**SIZES, activation=GELU)
    head = layers.ClassificationHead(16, 2, name="next_sentence")
    model = pretrainer(encoder, GELU, [head])
    items = model.checkpoint_items | {"model": model}
    write(target / "pretrainer", items, encoder, model, step=True)
    text = json.dumps(config("gelu"), indent=2)
    (target / "pretrainer" / "bert_config.json").write_text(text + "\n")

    encoder = networks.AlbertEncoder(
        **SIZES, activation="relu", embedding_width=8, dict_outputs=True
    )
    model = pretrainer(encoder, "relu")
    write(target / "albert", model.checkpoint_items, encoder, model)
    text = json.dumps(config("relu", embedding_size=8), indent=2)
    (target / "albert" / "albert_config.json").write_text(text + "\n")

    encoder = networks.BertEncoder(**SIZES, activation=GELU, dict_outputs=True)
    model = models.BertClassifier(encoder, num_classes=3, use_encoder_pooler=False)
    optimizer = tf_keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64)
    items = model.checkpoint_items | {"model": model, "global_step": step}
    items["optimizer"] = optimizer
    write(target / "classifier", items, encoder, model, step=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
