"""HDF5 weights of bert4keras models, seen under the names of the TF1 checkpoints.

`model.save_weights("best_model.h5")` of Keras 2 stores each layer under its name, and
bert4keras gives its layers fixed ones. A file of `model.save` holds the same, one level
deeper; the network that it describes is not read.

Source: bojone/bert4keras models.py (layer names), Keras 2 saving/hdf5_format.py.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasplm.errors import CheckpointError
from kerasplm.families import FAMILIES

# What h5py raises for attributes and objects of unexpected types.
_ODD = (TypeError, AttributeError)
_DENSE = ("kernel", "bias")
_NORM = ("beta", "gamma")
_QKVO = ("query", "key", "value", "output")
# Layers of bert4keras: our path, and its weights in their order. "{i}" is the layer.
_LAYERS: dict[str, tuple[str, ...]] = {
    "Embedding-Token": ("encoder/embeddings/word",),
    "Embedding-Segment": ("encoder/embeddings/type",),
    "Embedding-Position": ("encoder/embeddings/position",),
    "Embedding-Norm": tuple(f"encoder/embeddings/norm/{n}" for n in _NORM),
    "Embedding-Mapping": tuple(f"encoder/embeddings/projection/{w}" for w in _DENSE),
    "Transformer-{i}-MultiHeadSelfAttention": tuple(
        f"encoder/layer_{{i}}/attention/{part}/{w}" for part in _QKVO for w in _DENSE
    ),
    "Transformer-{i}-MultiHeadSelfAttention-Norm": tuple(
        f"encoder/layer_{{i}}/attention_norm/{n}" for n in _NORM
    ),
    "Transformer-{i}-FeedForward": tuple(
        f"encoder/layer_{{i}}/ffn/{part}/{w}"
        for part in ("inner", "outer")
        for w in _DENSE
    ),
    "Transformer-{i}-FeedForward-Norm": tuple(
        f"encoder/layer_{{i}}/ffn_norm/{n}" for n in _NORM
    ),
    "Pooler-Dense": tuple(f"encoder/pooler/{w}" for w in _DENSE),
    "NSP-Proba": tuple(f"sentence_pair/{w}" for w in _DENSE),
    "MLM-Dense": tuple(f"mlm/dense/{w}" for w in _DENSE),
    "MLM-Norm": tuple(f"mlm/norm/{n}" for n in _NORM),
    "MLM-Bias": ("mlm/bias",),
    "Discriminator-Dense": tuple(f"rtd/dense/{w}" for w in _DENSE),
    "Discriminator-Prediction": tuple(f"rtd/prediction/{w}" for w in _DENSE),
}
# NEZHA's table of sinusoids is constant.
_CONSTANT = "Embedding-Relative-Position"
# What shows whose names to use; else those of BERT, which most families share.
_SIGNS = {
    "Discriminator-Prediction": "electra",
    "Transformer-MultiHeadSelfAttention": "albert",
}


def is_keras2(path: Path) -> bool:
    """Whether an HDF5 file is one of Keras 2, or too damaged to tell."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "layer_names" in file.attrs or "model_weights" in set(file)
    except OSError:
        return True


class Bert4KerasReader:
    """The weights of a bert4keras model, under TF1 names.

    A network built on the encoder may have layers of its own. A single dense layer is
    taken for the classifier; others are listed, and stay unread.

    Args:
        prefix: The file.

    Raises:
        CheckpointError: The file is damaged, points to other files, or holds no model
            of bert4keras.
    """

    def __init__(self, prefix: Path) -> None:
        import h5py

        self.prefix = prefix
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sizes: dict[str, int] = {}
        self.families: tuple[str, ...] = ()
        self._places: dict[str, tuple[str, bool]] = {}
        try:
            with h5py.File(prefix, "r") as file:
                layers = dict(_weights(file, prefix))
                shapes = {
                    place: tuple(file[place].shape)
                    for places in layers.values()
                    for place in places
                }
        except (OSError, LookupError, RuntimeError, ValueError, *_ODD) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"{prefix}: no HDF5 weights ({error})") from error
        if "Embedding-Token" not in layers:
            raise CheckpointError(
                f"{prefix}: expected layers of bert4keras, such as Embedding-Token, "
                f"found {', '.join(sorted(layers)[:6]) or 'none'}"
            )
        sign = next((name for name in _SIGNS if name in layers), "")
        family = FAMILIES[_SIGNS.get(sign, "bert")]
        rest = {}
        for layer, places in layers.items():
            paths = _paths(layer)
            if layer == _CONSTANT:
                continue
            if paths is None:
                rest[layer] = places
            elif len(paths) != len(places):
                raise CheckpointError(
                    f"{prefix}: layer {layer}: expected {len(paths)} weights, found "
                    f"{len(places)}"
                )
            else:
                for path, place in zip(paths, places, strict=True):
                    self._add(*family.theirs(path), place, shapes[place])
        dense = [p for p in rest.values() if [len(shapes[x]) for x in p] == [2, 1]]
        if len(rest) == len(dense) == 1:
            kernel, bias = dense[0]
            name, turned = family.theirs("classifier/logits/kernel")
            self._add(name, turned, kernel, shapes[kernel])
            name, _ = family.theirs("classifier/logits/bias")
            self._add(name, False, bias, shapes[bias])
        else:
            for place in (x for places in rest.values() for x in places):
                self._add(f"layers/{place}", False, place, shapes[place])

    def _add(self, name: str, turned: bool, place: str, shape: tuple[int, ...]) -> None:
        self.shapes[name] = shape[::-1] if turned else shape
        self._places[name] = (place, turned)

    def read(self, name: str) -> Any:
        """Return one weight.

        Raises:
            CheckpointError: Its bytes are missing or damaged.
        """
        import h5py

        place, turned = self._places[name]
        try:
            with h5py.File(self.prefix, "r") as file:
                value = file[place][()]
        except (OSError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.prefix}: {place} cannot be read ({error})"
            ) from error
        return value.T if turned else value


def from_bert4keras_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a configuration: bert4keras computes "gelu" by erf unless told."""
    act = data.get("hidden_act", "gelu")
    return {**data, "hidden_act": "gelu_erf" if act == "gelu" else act}


def _paths(layer: str) -> list[str] | None:
    """Return our paths of a layer's weights; None for a layer that is not known."""
    found = re.fullmatch(r"Transformer-(?:(\d+)-)?(.*)", layer)
    if found is None:
        return list(_LAYERS[layer]) if layer in _LAYERS else None
    paths = _LAYERS.get(f"Transformer-{{i}}-{found[2]}")
    if paths is None:
        return None
    block = "group_0_0" if found[1] is None else f"layer_{found[1]}"
    return [path.replace("layer_{i}", block) for path in paths]


def _weights(file: Any, path: Path) -> Iterator[tuple[str, list[str]]]:
    """Return each layer that has weights, with their places in the file."""
    import h5py

    def step(group: Any, name: str) -> Any:
        # A link or a data set may point to any other file of the disk.
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise CheckpointError(f"{path}: {group.name}: {name} is missing or a link")
        found = group[name]
        if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
            raise CheckpointError(f"{path}: {found.name} lies in another file; refused")
        return found

    root = step(file, "model_weights") if "layer_names" not in file.attrs else file
    for name in root:
        group, places = step(root, name), []
        for weight in group.attrs.get("weight_names", ()):
            text = weight.decode() if isinstance(weight, bytes) else str(weight)
            data = group
            for part in text.split("/"):
                data = step(data, part)
            places.append(data.name)
        if places:
            yield name, places
