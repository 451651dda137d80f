"""Write tiny random models by bert4keras, with what it computes for them.

    TF_KERAS=1 python tests/make_bert4keras.py tests/bert4keras

Needs an environment of its own with bert4keras and TensorFlow 2.15 (0.11.5 wrote those
here).
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

tf.keras.backend.floatx()  # its lazy module must be loaded before bert4keras' import
from bert4keras.models import build_transformer_model  # noqa: E402

SIZES = {
    "vocab_size": 40,
    "hidden_size": 8,
    "embedding_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}
CASES = {
    "bert": ("bert", {}, {"with_nsp": True, "with_mlm": "linear"}),
    "albert": (
        "albert",
        {"embedding_size": 4, "num_hidden_groups": 1},
        {"with_mlm": "linear"},
    ),
    "electra": ("electra", {"embedding_size": 4}, {"with_discriminator": "linear"}),
    "nezha": ("nezha", {"use_relative_position": True}, {"with_mlm": "linear"}),
}


def main(target: Path) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 40, (2, 9))
    segments = np.array([[0] * 5 + [1] * 4, [0] * 9])
    for name, (kind, more, heads) in CASES.items():
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bert_config.json").write_text(json.dumps({**SIZES, **more}))
        config = str(folder / "bert_config.json")
        model = build_transformer_model(config, model=kind, **heads)
        perturb(model, rng)
        model.save_weights(str(folder / "model.h5"))
        out = model.predict([ids, segments], verbose=0)
        out = out if isinstance(out, list) else [out]
        arrays = {f"output_{n}": value for n, value in enumerate(out)}
        np.savez(folder / "io.npz", ids=ids, segments=segments, **arrays)
    # A classifier, saved with its network.
    folder = target / "classifier"
    folder.mkdir(exist_ok=True)
    (folder / "bert_config.json").write_text(json.dumps(SIZES))
    bert = build_transformer_model(str(folder / "bert_config.json"), with_pool=True)
    logits = tf.keras.layers.Dense(3)(tf.keras.layers.Dropout(0.1)(bert.output))
    model = tf.keras.Model(bert.input, logits)
    perturb(model, rng)
    model.save(str(folder / "model.h5"), include_optimizer=False)
    out = model.predict([ids, segments], verbose=0)
    np.savez(folder / "io.npz", ids=ids, segments=segments, output_0=out)


def perturb(model, rng):
    """Draw every weight but NEZHA's table of sinusoids."""
    drawn = {id(weight) for weight in model.trainable_weights}
    model.set_weights(
        [
            rng.normal(0, 0.2, value.shape) if id(weight) in drawn else value
            for weight, value in zip(model.weights, model.get_weights(), strict=True)
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
