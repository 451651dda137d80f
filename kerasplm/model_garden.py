"""Object-based checkpoints of tf-models-official, seen under TF1 names.

Recognition, configuration and loading then work as for the original files. Variables
are told by their full names, which the checkpoint's object graph holds: the paths of
the objects differ between BertEncoder, BertEncoderV2, AlbertEncoder and the models
around them, the names do not. Nothing of tf-models-official is needed.

Source: tensorflow/models official/nlp/modeling (networks, layers, models).
"""

import re
from typing import Any

from kerasplm.checkpoint import OBJECT_GRAPH, Reader
from kerasplm.errors import CheckpointError
from kerasplm.families import FAMILIES, Family

# Inside a layer: our path, then the full name and the attributes that lead to it.
_LAYER = {
    "attention/{qkv}/{w}": (
        "self_attention/{qkv}/{w}",
        "_attention_layer>_{qkv}_dense>{w}",
    ),
    "attention/output/{w}": (
        "self_attention/attention_output/{w}",
        "_attention_layer>_output_dense>{w}",
    ),
    "attention_norm/{n}": (
        "self_attention_layer_norm/{n}",
        "_attention_layer_norm>{n}",
    ),
    "ffn/inner/{w}": ("intermediate/{w}", "_intermediate_dense>{w}"),
    "ffn/outer/{w}": ("output/{w}", "_output_dense>{w}"),
    "ffn_norm/{n}": ("output_layer_norm/{n}", "_output_layer_norm>{n}"),
}
_REST = {
    "encoder/embeddings/word": (
        "word_embeddings/embeddings",
        "encoder>_embedding_layer>embeddings",
    ),
    "encoder/embeddings/position": (
        "position_embedding/embeddings",
        "encoder>_position_embedding_layer>embeddings",
    ),
    "encoder/embeddings/type": (
        "type_embeddings/embeddings",
        "encoder>_type_embedding_layer>embeddings",
    ),
    "encoder/embeddings/norm/{n}": (
        "embeddings/layer_norm/{n}",
        "encoder>_embedding_norm_layer>{n}",
    ),
    "encoder/embeddings/projection/{w}": (
        "embedding_projection/{w}",
        "encoder>_embedding_projection>{w}",
    ),
    "encoder/pooler/{w}": ("pooler_transform/{w}", "encoder>_pooler_layer>{w}"),
    "mlm/dense/{w}": ("cls/predictions/transform/dense/{w}", "masked_lm>dense>{w}"),
    "mlm/norm/{n}": (
        "cls/predictions/transform/LayerNorm/{n}",
        "masked_lm>layer_norm>{n}",
    ),
    "mlm/bias": ("cls/predictions/output_bias/bias", "masked_lm>output_bias/bias"),
    "sentence_pair/{w}": (
        "next_sentence/logits/{w}",
        "model>classification_heads>0>out_proj>{w}",
    ),
    "classifier/logits/{w}": (
        "sentence_prediction/logits/{w}",
        "model>layer_with_weights-1>out_proj>{w}",
    ),
}
_LAYERS = (
    "encoder/layer_{i}/",
    "transformer/layer_{i}/",
    "encoder>_transformer_layers>{i}>",
)
_SHARED = ("encoder/group_0_0/", "transformer/", "encoder>_transformer>")


def _table(name: str, layer: tuple[str, str, str], column: int) -> Family:
    weights = {ours: theirs[column] for ours, theirs in _REST.items()}
    for ours, theirs in _LAYER.items():
        weights[layer[0] + ours] = layer[1 + column] + theirs[column]
    return Family(
        name=name,
        title=name,
        source="tensorflow/models official/nlp/modeling",
        paper="",
        weights=weights,
        required=(),
    )


# Full names, and the attributes by which its code finds a variable, by whether all
# layers share their weights; and the family that has the same weights.
NAMES = {s: _table("names", _SHARED if s else _LAYERS, 0) for s in (False, True)}
PLACES = {s: _table("places", _SHARED if s else _LAYERS, 1) for s in (False, True)}
_FAMILIES = {False: FAMILIES["zhuiyi"], True: FAMILIES["albert"]}
HELD = ("bert", "wobert", "zhuiyi", "albert")

# A head over the sequence has a pooler of its own. With that head the model is whole
# only with this pooler; the one of the encoder is not used, often not even trained.
HEAD_OF = {"pretraining": "next_sentence", "classification": "sentence_prediction"}
_HEADS = re.compile(
    r"(?:.*/)?((?:next_sentence|sentence_prediction|predictions/transform"
    r"|pooler_transform)/.+)"
)
_TRAINING = re.compile(
    r"(.*/)?optimizer/.+|(.*/)?keras_api/metrics/.+|global_step|save_counter"
)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SPLIT = re.compile(r".*self_attention/(query|key|value)/(kernel|bias)")
_MERGED = re.compile(r".*self_attention/attention_output/kernel")
# What the layer was called in its releases up to 2.3.
_OLD_OUTPUT = re.compile(r"(?<=/)self_attention_output(?=/)")


def split_shape(name: str, shape: tuple[int, ...], heads: int) -> tuple[int, ...]:
    """Return the shape that tf-models-official gives a variable.

    Args:
        name: Its full name there.
        shape: As in TF1, where heads and their width are one dimension.
        heads: Number of attention heads.
    """
    if _SPLIT.fullmatch(name):
        return (*shape[:-1], heads, shape[-1] // heads)
    if _MERGED.fullmatch(name):
        return (heads, shape[0] // heads, *shape[1:])
    return shape


class ModelGardenReader:
    """The encoder of an object-based checkpoint, and its heads, under TF1 names.

    Args:
        reader: The checkpoint's files.
        heads: The head that will be used, as for `load`. A head for sentences brings
            its own pooler, which then stands in the place of the encoder's.

    Raises:
        CheckpointError: The object graph is damaged, or the checkpoint is not one of
            a BERT or ALBERT of tf-models-official.
    """

    def __init__(self, reader: Reader, heads: str | None = None) -> None:
        self.prefix = reader.prefix
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sizes: dict[str, int] = {}
        self.families: tuple[str, ...] = HELD
        self._reader = reader
        self._places: dict[str, tuple[str, bool]] = {}
        variables = self._variables()
        self._shared = any("transformer/self_attention/" in n for n in variables)
        found, unused, unknown = self._sort(variables, HEAD_OF.get(heads or "", ""))
        if unknown or "encoder/embeddings/word" not in found:
            names = ", ".join(unknown[:6]) + (" ..." if len(unknown) > 6 else "")
            raise CheckpointError(
                f"{self.prefix}: an object-based checkpoint. Expected a TF1 checkpoint "
                "or a BERT or ALBERT of tf-models-official, found "
                + (f"the variables {names}" if unknown else "no word embeddings")
            )
        for path, name in found.items():
            new, transposed = _FAMILIES[self._shared].theirs(path)
            shape = self._merged_shape(name, reader.shapes[variables[name]])
            self.shapes[new] = shape[::-1] if transposed else shape
            self._places[new] = (variables[name], transposed)
        for name in unused:
            scoped = _HEADS.fullmatch(name)
            new = scoped[1] if scoped else name
            self.shapes[new] = reader.shapes[variables[name]]
            self._places[new] = (variables[name], False)

    def _variables(self) -> dict[str, str]:
        """Return the key of every variable by its full name."""
        from google.protobuf.message import DecodeError
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import (
            TrackableObjectGraph,
        )

        try:
            graph = TrackableObjectGraph.FromString(
                self._reader.read(OBJECT_GRAPH).numpy()
            )
        except (DecodeError, TypeError) as error:
            raise CheckpointError(
                f"{self.prefix}: its object graph is damaged ({error})"
            ) from error
        variables: dict[str, str] = {}
        for node in graph.nodes:
            for attribute in node.attributes:
                key, name = attribute.checkpoint_key, attribute.full_name
                if not key.endswith(_VALUE):
                    continue
                if key not in self._reader.shapes:
                    raise CheckpointError(
                        f"{self.prefix}: its object graph is damaged: there is no "
                        f"variable {key}"
                    )
                place = key.removesuffix(_VALUE)
                name = _OLD_OUTPUT.sub("self_attention/attention_output", name)
                name = place if _TRAINING.fullmatch(place) else name or place
                if variables.setdefault(name, key) != key:
                    raise CheckpointError(
                        f"{self.prefix}: expected one encoder; there are two "
                        f"variables {name}: {variables[name]} and {key}"
                    )
        return variables

    def _sort(
        self, variables: dict[str, str], head: str
    ) -> tuple[dict[str, str], list[str], list[str]]:
        """Return names by our paths, those of no use here, and those unknown."""
        found: dict[str, str] = {}
        poolers: dict[str, str] = {}
        unused, unknown = [], []
        own = f"{head}/pooler_dense/"
        for name in variables:
            path, rest = self._ours(name), _HEADS.fullmatch(name)
            if path is not None:
                if found.setdefault(path, name) != name:
                    raise CheckpointError(
                        f"{self.prefix}: expected one encoder; there are "
                        f"{found[path]} and {name}"
                    )
            elif head and rest and rest[1].startswith(own):
                poolers["encoder/pooler/" + rest[1].removeprefix(own)] = name
            elif rest or _TRAINING.fullmatch(name):
                unused.append(name)
            else:
                unknown.append(name)
        unused += [found[path] for path in poolers if path in found]
        return found | poolers, unused, sorted(unknown)

    def _ours(self, name: str) -> str | None:
        """Return our path, whatever scope stands before the name."""
        parts = name.split("/")
        for n in range(len(parts)):
            found = NAMES[self._shared].ours("/".join(parts[n:]))
            if found is not None:
                return found[0]
        return None

    def _merged_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with the heads and their width in one dimension."""
        split, last = _SPLIT.fullmatch(name), _MERGED.fullmatch(name)
        if not split and not last:
            return shape
        if len(shape) != (2 if name.endswith("/bias") else 3):
            raise CheckpointError(
                f"{self.prefix}: {name}: expected heads in a dimension of their own, "
                f"found shape {list(shape)}"
            )
        self.sizes["num_attention_heads"] = shape[0] if last else shape[-2]
        if last:
            return (shape[0] * shape[1], shape[2])
        return (*shape[:-2], shape[-2] * shape[-1])

    def read(self, name: str) -> Any:
        """Return one tensor.

        Raises:
            CheckpointError: Its bytes are missing or damaged.
        """
        import tensorflow as tf

        key, transposed = self._places[name]
        value = self._reader.read(key)
        if transposed:
            value = tf.transpose(value)
        return tf.reshape(value, self.shapes[name])
