"""Find the golden cases: folders with a meta.json, written by the original code."""

import dataclasses
import functools
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasplm.checkpoint import write
from kerasplm.families.base import SLOTS

HERE = Path(__file__).parent
COMPACT = HERE / "goldens"
ROOT = Path(os.environ.get("KERASPLM_GOLDENS", COMPACT))
HIDDEN, LOGITS, LOSS = 2e-5, 1e-4, 1e-5

# Reference data of parts that this package does not have yet.
LATER: dict[str, str] = {}
# Fine-tuned heads that give something for each token.
HEADS = {
    "squad": "finetune_span",
    "squad_span": "finetune_span",
    "squad_v2": "finetune_span",
    "electra_qa": "finetune_span",
    "ner": "finetune_tagging",
    "electra_tagging": "finetune_tagging",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One folder of references."""

    folder: Path
    meta: dict[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> str:
        """Say which check the case needs."""
        kind, name = self.meta.get("kind", ""), self.name
        if kind == "pretrain":
            electra = self.meta["family"].startswith("electra")
            return "pretrain_electra" if electra else "pretrain"
        if kind in ("causal_lm", "helpers", "tokenizers"):
            return kind
        if kind.startswith("finetune/"):
            return HEADS.get(kind.removeprefix("finetune/"), "finetune")
        if kind == "optimizers":
            return "optimizers_tf1"
        if name == "optimizers":
            return "optimizers_bert4keras"
        if name in ("crf", "global_pointer"):
            return name
        if name.startswith("tokenizer"):
            return "tokenizer_bert4keras"
        if name.startswith("pretrain_data"):
            return "pretraining_data"
        if name.startswith("tinybert"):
            return "distillation"
        if list(self.folder.glob("pytorch_model.bin")):
            return "pytorch"
        if self.meta.get("weights") or not list(self.folder.glob("*.index")):
            return "foreign"
        family = str(self.meta.get("family", "")).lower()
        if family.startswith("t5"):
            return "seq2seq"
        foreign = ("gpt", "gau")
        return "foreign" if family.startswith(foreign) else "bert4keras"

    @functools.cached_property
    def io(self) -> dict[str, np.ndarray]:
        return read_arrays(self.folder / "io.npz")

    def batch(self, ids: str = "input_ids") -> dict[str, np.ndarray]:
        io = self.io
        return {
            "token_ids": io[ids],
            "segment_ids": io["segment_ids"],
            "padding_mask": io["input_mask"].astype(bool),
        }


def read_bytes(path: Path) -> bytes:
    """Read a reference; the compact copies of long ones are packed with gzip."""
    if path.is_file():
        return path.read_bytes()
    return gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())


def read_text(path: Path) -> str:
    return read_bytes(path).decode("utf-8")


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """Read a file of arrays; many small ones are packed into one, with a list."""
    with np.load(io.BytesIO(read_bytes(file))) as data:
        arrays = {key: data[key] for key in data.files}
    if "packed" in arrays:
        values, at = arrays.pop("packed"), 0
        for key, shape in json.loads(str(arrays.pop("list"))):
            size = int(np.prod(shape))
            arrays[key] = values[at : at + size].reshape(shape)
            at += size
        assert at == len(values)
    return arrays


def cases(*kinds: str) -> list[Case]:
    found = []
    for path in sorted(ROOT.rglob("meta.json")):
        case = Case(path.parent, json.loads(path.read_text(encoding="utf-8")))
        if not kinds or case.kind in kinds:
            found.append(case)
    return found


def complete(case: Case, folder: Path) -> Path:
    """Return the folder of a fine-tuned case with all of its variables.

    The compact copies leave out what equals the checkpoint that was fine-tuned.
    """
    base = ROOT / case.meta["init_checkpoint"]
    prefix = next(case.folder.glob("*.index")).with_suffix("")
    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    if any(name.endswith("word_embeddings") for name in names):
        return case.folder
    old = tf.train.load_checkpoint(str(base))
    scopes = ("bert/embeddings", "bert/encoder", "bert/pooler", "electra/")
    shared = [n for n in old.get_variable_to_shape_map() if n.startswith(scopes)]
    tensors = {n: old.get_tensor(n) for n in shared if not SLOTS.fullmatch(n)}
    tensors |= {name: reader.get_tensor(name) for name in names}
    copy = folder / case.name
    shutil.copytree(case.folder, copy)
    write(copy / prefix.name, tensors)
    return copy


def ids(case: Case) -> str:
    return str(case.folder.relative_to(ROOT))


def every(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(*kinds), ids=ids)


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - np.max(x, -1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


class Comparison:
    """Compare arrays and remember the largest difference for the printed table."""

    rows: list[tuple[str, int, float, float]] = []

    def __init__(self, case: Case, note: str = "") -> None:
        self.case = case.name + note
        self.compact = case.meta.get("compact", False)
        self.count, self.largest, self.share = 0, 0.0, 0.0
        self.failed: list[str] = []

    def __call__(
        self, what: str, ours: Any, theirs: Any, tolerance: float, where: Any = None
    ) -> None:
        ours, theirs = np.asarray(ours, "float64"), np.asarray(theirs, "float64")
        if self.compact:  # such copies hold the leading columns of large arrays
            ours = ours[tuple(slice(n) for n in theirs.shape)]
        assert ours.shape == theirs.shape, (what, ours.shape, theirs.shape)
        assert np.isfinite(ours).all(), what
        delta = np.abs(ours - theirs)
        if where is not None:
            delta = delta[where]
        assert delta.size, f"{what}: nothing to compare"
        self.count += 1
        self.largest = max(self.largest, float(delta.max()))
        self.share = max(self.share, float(delta.max()) / tolerance)
        if delta.max() > tolerance:
            self.failed.append(f"{what}: {delta.max():.3g} > {tolerance:g}")

    def finish(self) -> None:
        Comparison.rows.append((self.case, self.count, self.largest, self.share))
        assert self.count, "nothing was compared"
        assert not self.failed, "\n".join(self.failed)


Check = Callable[[Case, Comparison], None]
