"""Copy golden cases compactly: `python -m tests.copy_goldens SOURCE [CASE ...]`.

Optimizer slots go, except in a few cases that keep them (they are gradient goldens,
and show that slots are not read); arrays are compressed; of a meta.json the lists of
variables go, which the checkpoint itself holds.
"""

import gzip
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasplm.checkpoint import write
from kerasplm.families.base import SLOTS

TARGET = Path(__file__).parent / "goldens"
# Many small arrays, of which each would be a file in the archive.
PACKED = ("optim_tf1", "optimizers")
KEEP_SLOTS = ("bert_google_relu_types3",)
# In the full set only: what they show is shown by others too.
LEFT_OUT = ("nezha_absolute",)
DROP = (
    "variables",
    "trainable_variables",
    "grad_variables",
    "versions",
    "io",
    "variable_mapping_by_version",
)
# Arrays that no check reads, or that only repeat another one.
UNUSED = re.compile(
    "past_key_values|mlm_example_loss|mlm_log_probs|mlm_probs|mlm_preds"
    "|disc_(probs|preds|example_loss)|sentence_(log_probs|example_loss)"
    "|word_embedding_output|greedy_temperature|next_position|.*_proba|predictions"
    "|train/(?!global_norm|clipped_grad/|loss$).*|loss/.*|jieba.*"
    "|compound.*|mlm_targets|mlm_loss_b4k|(disc_)?attention_probs_0"
    "|(gen_|disc_)?sequence_output"  # equals the last layer
)
FT = ("sequence_output", "predictions")
FT_KINDS = ("classification", "regression")
# Layers on given numbers: the arrays are their inputs too.
LAYERS = ("crf", "global_pointer")
LAYERS_UNUSED = re.compile("crf_.*/(output|sparse_accuracy|dense_.*)")
ROWS = 2  # of the batches of bert4keras cases, whose outputs are row by row
WORDS = ("mlm_logits", "logits", "proba", "logits_last2rows")  # one column a word


def copy(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    meta = {key: value for key, value in meta.items() if key not in DROP}
    meta["compact"] = True
    for trace in meta.get("variants", ()):
        del trace["variables"]
    if folder.name == "t5_pegasus":  # its changed vocabulary is in the full set only
        del meta["compound_tokens"]
        # WoBERT's case has all of the same lines.
        rows = meta["tokenization"]
        meta["tokenization"] |= {
            key: rows[key][::3] for key in rows if key.startswith("pre_tokenize")
        }
    text = json.dumps(meta, ensure_ascii=False)
    (target / "meta.json").write_text(text + "\n", encoding="utf-8")
    for file in sorted(set(folder.iterdir()) - {folder / "meta.json"}):
        if file.suffix == ".npz":
            with np.load(file) as data:
                last = meta.get("kind", "").endswith(FT_KINDS)
                kept = {k: data[k] for k in data.files if keep(k) or last and k in FT}
                if folder.name in LAYERS:
                    unused = LAYERS_UNUSED.fullmatch
                    kept = {k: data[k] for k in data.files if not unused(k)}
            # A loss is the mean over all rows.
            by_rows = "checkpoint_prefix" in meta and "finetune_loss" not in kept
            if file.name == "io.npz" and folder.name not in LAYERS:
                kept = {k: cut(k, value, by_rows) for k, value in kept.items()}
            packed = folder.name in PACKED
            save(target / file.name, pack(kept) if packed else kept)
        elif file.suffix == ".index":
            prefix = file.with_suffix("")
            base = meta.get("init_checkpoint")
            copy_checkpoint(
                prefix, target, folder.name in KEEP_SLOTS, base and folder.parent / base
            )
        elif file.is_dir():
            copy_files(file, target / file.name)
        elif file.name == "vocab.txt" or file.suffix == ".json":
            shutil.copy(file, target / file.name)


def pack(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Join the float32 arrays; `tests.golden.read_arrays` takes them apart.

    Of a trace's moments only the first one after the last step stays: what is wrong
    in any other is seen in the weights, which stay for every step.
    """
    last = max((int(k.split("/")[1]) for k in arrays if k.startswith("m/")), default=0)
    kept = {
        key: value
        for key, value in arrays.items()
        if not re.match(rf"v/|m/(?!{last}/)|.+/(slot_|ema_slot)", key)
    }
    joined = {k: v for k, v in kept.items() if v.dtype == np.float32}
    others = {k: v for k, v in kept.items() if k not in joined}
    names = json.dumps([[key, value.shape] for key, value in joined.items()])
    values = np.concatenate([value.ravel() for value in joined.values()])
    return others | {"packed": values, "list": np.array(names)}


def save(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays; many small ones are mostly names, which gzip packs once more."""
    np.savez_compressed(file, **arrays)
    plain = io.BytesIO()
    np.savez(plain, **arrays)
    packed = gzip.compress(plain.getvalue(), 9, mtime=0)
    if len(packed) < file.stat().st_size / 2:
        file.with_name(f"{file.name}.gz").write_bytes(packed)
        file.unlink()


def keep(name: str) -> bool:
    # The NSP head of these cases is given as probabilities only.
    return name.endswith("nsp_proba") or not UNUSED.fullmatch(name)


def cut(name: str, value: np.ndarray, by_rows: bool) -> np.ndarray:
    """Keep the leading part: an error in a network shows in every column."""
    if name in ("keep_tokens", "keep/word_embeddings", "keep/output_bias"):
        return value  # a row per token, not per text
    if by_rows and value.ndim:
        value = value[:ROWS]
    if name.endswith("/similarity"):
        return value[:, :ROWS]
    last = name.split("/")[-1]
    if name.startswith("train/clipped_grad/") and value.size > 4096:
        return value[:, :4]
    if value.ndim > 2 and value.dtype == np.float32:
        columns = value.shape[-1] // (16 if last in WORDS else 4)
        return value[..., : max(columns, 4)]
    return value


def copy_files(folder: Path, target: Path) -> None:
    """Copy a sub-folder without its weights: it only has to be refused."""
    target.mkdir(exist_ok=True)
    for file in folder.glob("*.json"):
        shutil.copy(file, target / file.name)


def copy_checkpoint(prefix: Path, target: Path, slots: bool, base: Path | None) -> None:
    """Copy the variables; those that equal the checkpoint it began from are left out.

    `tests.golden.complete` puts them back.
    """
    reader = tf.train.load_checkpoint(str(prefix))
    names = set(reader.get_variable_to_shape_map())
    # The first moment is the gradient; the second adds nothing.
    slot = re.compile(r"(?!.*_m$)" + SLOTS.pattern) if slots else SLOTS
    kept = {n: reader.get_tensor(n) for n in names if not slot.fullmatch(n)}
    if base is not None:
        old = tf.train.load_checkpoint(str(base))
        for name in set(kept) & set(old.get_variable_to_shape_map()):
            if np.array_equal(kept[name], old.get_tensor(name)):
                del kept[name]
    write(target / prefix.name, kept)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    for name in sys.argv[2:] or sorted(
        {p.parent.name for p in source.glob("*/meta.json")} - set(LEFT_OUT)
    ):
        copy(source / name, TARGET / name)
