"""Do tf-models-official and kerasplm compute the same from what kerasplm writes?

    pip install 'kerasplm[model-garden]'
    python -m benchmarks.equal_model_garden [FOLDER ...]

Loads each folder (default: some of `tests/goldens`, and random models of base size),
writes it by `save_model_garden`, loads that into the encoder of tf-models-official and
its pretrainer or classifier, and compares the outputs on random input.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kerasplm as plm
from kerasplm.inspection import heads_in
from kerasplm.reporting import print_table

GOLDENS = Path(__file__).parent.parent / "tests" / "goldens"
CASES = ("bert_google", "bert_google_relu_types3", "roberta_zh", "wobert")
CASES += ("albert_google", "albert_zh_google", "zhuiyi_roberta_tiny")
CLASSIFIER = GOLDENS.parent / "huggingface" / "bert_classifier"
BASE = {"vocab_size": 21128, "hidden_size": 768, "num_attention_heads": 12}
SHARED = {"embedding_size": 128, "num_hidden_groups": 1, "hidden_act": "relu"}


def activation(config: plm.Config) -> Any:
    """Return what its configurations give, or the form that they cannot name."""
    import tf_keras
    from official.modeling import tf_utils

    if config.hidden_act == "gelu_erf":
        return tf_keras.activations.gelu
    name = "gelu" if config.hidden_act == "gelu_tanh" else config.hidden_act
    return tf_utils.get_activation(name)


def build_encoders(config: plm.Config) -> list[Any]:
    """Return every encoder of tf-models-official with these weights."""
    from official.nlp.modeling import networks

    sizes = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "max_sequence_length": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
        "intermediate_size": config.intermediate_size,
        "activation": activation(config),
        "embedding_width": config.word_size,
    }
    if config.num_hidden_groups is not None:
        return [networks.AlbertEncoder(**sizes, dict_outputs=True)]
    second = networks.BertEncoderV2(**sizes)
    second(second.inputs)  # makes the variables
    return [networks.BertEncoder(**sizes, dict_outputs=True), second]


def build_whole(encoder: Any, model: keras.Model) -> tuple[Any, dict[str, str]]:
    """Return its model with our heads, and the names of the outputs."""
    from official.nlp.modeling import layers, models

    config = model.encoder.config
    if hasattr(model, "labels"):
        return models.BertClassifier(encoder, len(model.labels)), {}
    heads = []
    names = {"mlm_logits": "mlm_logits"}
    if "sentence_pair" in model.heads:
        names["next_sentence"] = "sentence_pair_logits"
        heads = [layers.ClassificationHead(config.hidden_size, 2, name="next_sentence")]
    whole = models.BertPretrainerV2(
        encoder_network=encoder,
        mlm_activation=activation(config),
        classification_heads=heads,
    )
    whole(whole.inputs)
    return whole, names


def restore(prefix: str, all_there: bool, part: bool = False, **objects: Any) -> None:
    """Read a checkpoint.

    Args:
        prefix: The checkpoint.
        all_there: Whether it holds all that the objects need.
        part: Whether it holds more than they need.
        **objects: What to fill.
    """
    import tensorflow as tf

    status = tf.train.Checkpoint(**objects).read(prefix)
    if not all_there:
        status.expect_partial()
    elif part:
        status.expect_partial().assert_existing_objects_matched()
    else:
        status.assert_consumed()


def compare(title: str, model: keras.Model) -> list[tuple[str, str, str, float]]:
    """Return one row for each encoder: its class, the outputs, largest difference."""
    whole = hasattr(model, "encoder")
    config = (model.encoder if whole else model).config
    rng = np.random.default_rng(0)
    ids = rng.integers(1, config.vocab_size, (2, 9))
    types = np.array([[0] * 5 + [1] * 4, [0] * 9])
    mask = np.array([[1] * 9, [1] * 6 + [0] * 3])
    inputs = {"token_ids": ids, "segment_ids": types, "padding_mask": mask == 1}
    ours = (model.encoder if whole else model)(inputs, return_hidden_states=True)
    ours |= {f"hidden_{n}": x for n, x in enumerate(ours["hidden_states"])}
    batch = {"input_word_ids": ids, "input_type_ids": types, "input_mask": mask}
    rows = []
    with tempfile.TemporaryDirectory() as out:
        plm.save_model_garden(model, out)
        prefix, pooler = f"{out}/model.ckpt", config.pooler != "none"
        for encoder in build_encoders(config):
            restore(prefix, pooler, part=whole, encoder=encoder)
            found = dict(encoder(batch))
            states = found.pop("encoder_outputs")
            found |= {f"hidden_{n}": x for n, x in enumerate(states, 1)}
            if not pooler:
                del found["pooled_output"]
            pairs = {name: (x, ours[name]) for name, x in found.items()}
            if whole:
                pairs |= compare_heads(model, encoder, prefix, inputs, batch)
            deltas = [np.abs(np.asarray(a) - np.asarray(b)) for a, b in pairs.values()]
            heads = [name for name in pairs if name not in found]
            rows.append(
                (
                    title,
                    type(encoder).__name__,
                    ", ".join(["hidden"] + ["pooled"] * pooler + heads),
                    max(float(delta.max()) for delta in deltas),
                )
            )
    return rows


def compare_heads(
    model: keras.Model,
    encoder: Any,
    prefix: str,
    inputs: dict[str, Any],
    batch: dict[str, Any],
) -> dict[str, tuple[Any, Any]]:
    """Return pairs of outputs of the heads, with an encoder that is read anew."""
    for variable in encoder.weights:
        variable.assign(np.zeros(variable.shape))
    whole, names = build_whole(encoder, model)
    pooler = model.encoder.config.pooler != "none"
    restore(prefix, pooler, model=whole, **whole.checkpoint_items)
    if not names:
        return {"logits": (whole(batch), model(inputs))}
    places = np.tile(np.arange(9), (2, 1))
    found = whole(batch | {"masked_lm_positions": places})
    out = model(inputs)
    return {theirs: (found[theirs], out[mine]) for theirs, mine in names.items()}


def base_model(**fields: Any) -> keras.Model:
    """Return a random model of base size with the heads of BERT's pre-training."""
    keras.utils.set_random_seed(0)
    encoder = plm.Encoder(plm.Config(**BASE, **fields))
    return plm.PretrainedModel(encoder, ["mlm", "sentence_pair"])


def load(folder: Path) -> keras.Model:
    held = heads_in(folder)
    if "classifier" in held:
        return plm.load(folder, heads="classification")
    return plm.load(folder, heads="pretraining" if held else None)


if __name__ == "__main__":
    cases = [*(GOLDENS / name for name in CASES), CLASSIFIER]
    folders = [Path(name) for name in sys.argv[1:]] or cases
    rows = [row for folder in folders for row in compare(folder.name, load(folder))]
    if not sys.argv[1:]:
        for title, fields in (("BERT base", {}), ("ALBERT base", SHARED)):
            model = base_model(**fields)
            rows += compare(f"{title}, random", model)
            rows += compare(f"{title}, encoder alone", model.encoder)
    print_table(
        "kerasplm and tf-models-official",
        ("model", "encoder", "outputs", "max |Δ|"),
        rows,
    )
