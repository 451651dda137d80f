"""The files in which Hugging Face keeps weights: safetensors and PyTorch's `.bin`.

Each may be one file, or several that an index names. Names are those in the files.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasplm.errors import CheckpointError
from kerasplm.files import read_json

INDEX = ".index.json"
# In the order of preference: safetensors hold nothing but tensors.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
FILES = tuple(name + end for name in WEIGHTS for end in ("", INDEX))


class TensorFile(Protocol):
    """Tensors by name."""

    shapes: dict[str, tuple[int, ...]]

    def get(self, name: str) -> np.ndarray:
        """Return one tensor."""


def is_tensor_file(path: Path) -> bool:
    """Whether the name is that of a file that `open_tensors` reads."""
    return path.name.removesuffix(INDEX).endswith((".safetensors", ".bin"))


def open_tensors(path: Path) -> TensorFile:
    """Open `model.safetensors`, `pytorch_model.bin`, or the index of several.

    Raises:
        CheckpointError: The file is damaged, holds code, or names files elsewhere.
    """
    if path.name.endswith(INDEX):
        return Shards(path)
    return Safetensors(path) if path.suffix == ".safetensors" else TorchFile(path)


class Safetensors:
    """One `.safetensors` file, mapped into memory.

    Args:
        path: The file.

    Raises:
        CheckpointError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        self._errors = (SafetensorError, OSError, ValueError, TypeError)
        try:
            self._file = safe_open(path, framework="numpy")
            self.shapes = {
                name: tuple(self._file.get_slice(name).get_shape())
                for name in self._file.keys()  # noqa: SIM118 (not a dictionary)
            }
        except self._errors as error:
            raise CheckpointError(f"{path}: no safetensors file ({error})") from error

    def get(self, name: str) -> np.ndarray:
        """Return one tensor.

        Raises:
            CheckpointError: Its bytes are missing or damaged.
        """
        try:
            value: np.ndarray = self._file.get_tensor(name)
        except self._errors as error:
            raise CheckpointError(
                f"{self.path}: tensor {name} cannot be read ({error})"
            ) from error
        return value


class TorchFile:
    """One PyTorch file of either format, read without running what it may hold.

    Args:
        path: The file: a dictionary of tensors that `torch.save` wrote.

    Raises:
        CheckpointError: torch is missing, or the file is damaged, holds anything but
            tensors, or is a pickle with code.
    """

    def __init__(self, path: Path) -> None:
        try:
            import torch
        except ImportError as error:
            raise CheckpointError(
                f"{path}: a file of PyTorch, which reads it: "
                "pip install 'kerasplm[torch]'"
            ) from error
        self._tensors = self._load(torch, path)
        for name, value in self._tensors.items():
            if not torch.is_tensor(value):
                raise CheckpointError(
                    f"{path}: expected tensors, found {type(value).__name__} under "
                    f"{name!r}"
                )
            if value.layout != torch.strided or not value.is_floating_point():
                if value.dtype in (torch.int32, torch.int64, torch.bool):
                    continue  # buffers, such as position_ids
                raise CheckpointError(
                    f"{path}: expected dense real numbers, found {value.layout} of "
                    f"{value.dtype} under {name!r}"
                )
        self.shapes = {name: tuple(v.shape) for name, v in self._tensors.items()}

    @staticmethod
    def _load(torch: Any, path: Path) -> dict[str, Any]:
        try:
            # weights_only: an unpickler that knows tensors and nothing else.
            # Mapped into memory, so that names and shapes alone cost no reading; the
            # older of the two formats cannot be.
            found = torch.load(
                path,
                map_location="cpu",
                weights_only=True,
                mmap=zipfile.is_zipfile(path),
            )
        # A damaged pickle may fail in any way; nothing of it was executed.
        except Exception as error:
            raise CheckpointError(
                f"{path}: expected a file of weights that torch.save wrote; it is "
                "damaged, or holds more than tensors and was not executed "
                f"({type(error).__name__})"
            ) from error
        if not isinstance(found, dict) or not all(isinstance(k, str) for k in found):
            raise CheckpointError(
                f"{path}: expected a dictionary of tensors, found "
                f"{type(found).__name__}"
            )
        return found

    def get(self, name: str) -> np.ndarray:
        """Return one tensor; bfloat16, which numpy lacks, as float32."""
        tensor = self._tensors[name].detach()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        value: np.ndarray = tensor.numpy()
        return value


class Shards:
    """Several files with one index.

    Args:
        path: The index, such as `model.safetensors.index.json`.

    Raises:
        CheckpointError: The index is broken, or a file is missing, damaged, not
            beside the index, or without a tensor that it should hold.
    """

    def __init__(self, path: Path) -> None:
        places = read_json(path).get("weight_map")
        good = isinstance(places, Mapping) and all(
            isinstance(file, str) for file in places.values()
        )
        if not good or not places:
            raise CheckpointError(
                f"{path}: expected an object 'weight_map' from tensors to files"
            )
        for file in sorted(set(places.values())):
            if Path(file).name != file or not file.endswith((".safetensors", ".bin")):
                raise CheckpointError(
                    f"{path}: expected names of weight files beside it, found {file!r}"
                )
            if not (path.parent / file).is_file():
                raise CheckpointError(f"{path}: names {file}, which is not there")
        files = {f: open_tensors(path.parent / f) for f in set(places.values())}
        self._files = {name: files[file] for name, file in places.items()}
        self.shapes = {}
        for name, file in self._files.items():
            if name not in file.shapes:
                raise CheckpointError(
                    f"{path}: expected {name} in {places[name]}, which lacks it"
                )
            self.shapes[name] = file.shapes[name]

    def get(self, name: str) -> np.ndarray:
        """Return one tensor."""
        return self._files[name].get(name)
