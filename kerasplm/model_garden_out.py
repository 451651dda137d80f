"""Write a model as an object-based checkpoint, which tf-models-official loads."""

import json
from pathlib import Path
from typing import Any

import keras

from kerasplm import checkpoint
from kerasplm.config import Config
from kerasplm.errors import ConfigError, FamilyError
from kerasplm.files import temporary_folder, write_text
from kerasplm.model_garden import HEAD_OF, HELD, NAMES, PLACES, split_shape
from kerasplm.saving import config_data, family_of
from kerasplm.tokenizing import save_tokenizer

WEIGHTS = "model.ckpt"
# What its encoders compute; anything else would load and give other numbers.
_FIXED = {
    "ln_type": "post",
    "ffn_groups": 1,
    "attention_key_size": None,
    "position": "absolute",
    "hierarchical_positions": None,
    "attention": "bidirectional",
    "embedding_projection": "after_norm",
    "layer_norm_eps": 1e-12,
    "inner_group_num": 1,
}
_HEADS = ((), ("mlm",), ("mlm", "sentence_pair"), ("classifier",))
# Keras numbers the layers of a functional model in the order in which they are called.
_CALLED = (
    "_embedding_layer",
    "_position_embedding_layer",
    "_type_embedding_layer",
    "_embedding_norm_layer",
    "_embedding_projection",
    "_transformer",
    "_pooler_layer",
)


def save_model_garden(
    model: keras.Model, folder: str | Path, *, tokenizer: Any = None
) -> None:
    """Write a checkpoint that tf-models-official reads into its own encoder.

    An encoder is written as `tf.train.Checkpoint(encoder=...)`; one with heads as the
    trainer writes a `BertPretrainerV2` (head "next_sentence") or a `BertClassifier`
    with the encoder's pooler: `tf.train.Checkpoint(model=..., encoder=..., ...)`.
    Beside it stand the configuration under the keys of its `BertConfig`, in which
    "gelu" is the tanh form there as here; the erf form, which its configurations
    cannot name, is written "gelu_erf" and needs
    `inner_activation=tf_keras.activations.gelu`. A model that has no pooler is written
    without one: read it with `expect_partial()`, all but `pooled_output` is equal.

    Args:
        model: From `load`, of family bert, wobert, zhuiyi or albert.
        folder: Gets model.ckpt.index, model.ckpt.data-*, "checkpoint" and the
            configuration JSON.
        tokenizer: If given, `vocab.txt` and `tokenizer_config.json` are written too.

    Raises:
        FamilyError: tf-models-official does not have the model or these heads.
        ConfigError: Its code would compute other numbers.

    Example:
        >>> save_model_garden(plm.load("roberta_zh"), "out")  # doctest: +SKIP

    Source: tensorflow/models official/nlp/tools/tf2_*_encoder_checkpoint_converter.py.
    """
    import tensorflow as tf

    family = family_of(model, None)
    if family.name not in HELD:
        raise FamilyError(
            f"family {family.name!r} is not in tf-models-official; {', '.join(HELD)} "
            "are"
        )
    heads = checkpoint.heads_of(model)
    if heads not in _HEADS:
        raise FamilyError(f"tf-models-official has no model with the heads {heads}")
    config = checkpoint.body_of(model).config
    _check(config, heads)
    path = Path(folder).expanduser()
    path.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path) as work, tf.device("CPU"):
        tf.train.Checkpoint(**_objects(model, config, heads)).write(str(work / "model"))
        checkpoint.publish(work / "model", path / WEIGHTS)
    data = config_data(model, family)
    if config.hidden_act == "gelu_erf":
        data["hidden_act"] = config.hidden_act
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_text(path / family.config_file, text)
    write_text(path / "checkpoint", f'model_checkpoint_path: "{WEIGHTS}"\n')
    if tokenizer is not None:
        save_tokenizer(tokenizer, path)


def _check(config: Config, heads: tuple[str, ...]) -> None:
    shared = config.num_hidden_groups is not None
    fixed = _FIXED | ({"num_hidden_groups": 1} if shared else {})
    if config.pooler != "none" or set(heads) - {"mlm"}:
        fixed["pooler"] = "tanh"
    wrong = [key for key, value in fixed.items() if getattr(config, key) != value]
    wrong += [] if config.type_vocab_size else ["type_vocab_size"]
    if wrong:
        raise ConfigError(
            "tf-models-official has no encoder with "
            + ", ".join(f"{key}={getattr(config, key)!r}" for key in wrong)
        )


def _objects(
    model: keras.Model, config: Config, heads: tuple[str, ...]
) -> dict[str, Any]:
    """Return trees of objects with the attributes that its models have."""
    import tensorflow as tf

    root, count = tf.Module(), config.num_attention_heads
    shared = config.num_hidden_groups is not None
    weights = checkpoint.named_weights(model)
    places = {path: PLACES[shared].theirs(path)[0].split(">") for path in weights}
    if shared:  # a functional model: its layers are found by number
        called = [n for n in _CALLED if any(n in place for place in places.values())]
        numbers = {n: f"layer_with_weights-{i}" for i, n in enumerate(called)}
        places = {
            path: [numbers.get(part, part) for part in place]
            for path, place in places.items()
        }
    made = {}
    for path, weight in weights.items():
        name = NAMES[shared].theirs(path)[0]
        value = keras.ops.convert_to_numpy(weight)
        value = value.reshape(split_shape(name, value.shape, count))
        made[path] = tf.Variable(value, name=name)
        *owners, last = places[path]
        setattr(_at(root, *owners), last, made[path])
    if "mlm" in heads:
        root.masked_lm.embedding_table = made["encoder/embeddings/word"]
        whole = _at(root, "model")
        whole.encoder_network, whole.masked_lm = root.encoder, root.masked_lm
    if "sentence_pair" in heads:
        # That head has a pooler of its own, also offered for fine-tuning.
        dense = _at(root, "model", "classification_heads", "0", "dense")
        head = HEAD_OF["pretraining"]
        for last in ("kernel", "bias"):
            name = f"{head}/pooler_dense/{last}"
            copy = tf.Variable(made[f"encoder/pooler/{last}"], name=name)
            setattr(dense, last, copy)
        setattr(root, f"{head}.pooler_dense", dense)
    if "classifier" in heads:
        setattr(_at(root, "model"), "layer_with_weights-0", root.encoder)
    return {n: v for n, v in vars(root).items() if isinstance(v, tf.Module)}


def _at(root: Any, *names: str) -> Any:
    """Return the object under these attributes; what is missing is made."""
    import tensorflow as tf

    for name in names:
        if not hasattr(root, name):
            setattr(root, name, tf.Module())
        root = getattr(root, name)
    return root
