"""Do transformers (PyTorch) and kerasplm compute the same from what kerasplm writes?

    pip install torch transformers
    python -m benchmarks.equal_transformers [FOLDER ...]

Loads each folder (default: some of `tests/goldens`), writes it by `save_huggingface`,
loads that by transformers and compares the outputs on random input.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import kerasplm as plm
from kerasplm.reporting import print_table

GOLDENS = Path(__file__).parent.parent / "tests" / "goldens"
CASES = ("bert_google", "roberta_zh", "wobert", "albert_google", "albert_zh_google")
CASES += ("albert_google_groups2_inner2", "electra_zh", "electra_base")
CASES += ("../huggingface/roformer",)
NAMES = {
    "prediction_logits": "mlm_logits",
    "seq_relationship_logits": "sentence_pair_logits",
    "sop_logits": "sentence_pair_logits",
    "pooler_output": "pooled_output",
}


def compare(folder: Path) -> tuple[str, str, float]:
    """Return the name, the class of transformers and the largest difference."""
    import torch
    import transformers

    model = plm.load(folder, heads="pretraining")
    config = model.encoder.config
    rng = np.random.default_rng(0)
    ids = rng.integers(1, config.vocab_size, (2, 9))
    types = np.array([[0] * 5 + [1] * 4, [0] * 9])
    mask = np.array([[1] * 9, [1] * 6 + [0] * 3])
    inputs = {"token_ids": ids, "segment_ids": types, "padding_mask": mask == 1}
    ours = model(inputs)
    with tempfile.TemporaryDirectory() as out:
        plm.save_huggingface(model, out)
        name = json.loads((Path(out) / "config.json").read_text())["architectures"][0]
        theirs = getattr(transformers, name).from_pretrained(out).eval()
    tensors = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
    with torch.no_grad():
        found = theirs(
            **{key: torch.tensor(value) for key, value in tensors.items()},
            output_hidden_states=True,
        )
    pairs = [(found.hidden_states[-1], ours["sequence_output"])]
    pairs += [(found[a], ours[b]) for a, b in NAMES.items() if a in found and b in ours]
    if "logits" in found:
        other = ours.get("mlm_logits")
        other = ours["rtd_logits"][..., 0] if other is None else other
        pairs.append((found["logits"], other))
    delta = max(float(np.abs(a.numpy() - np.asarray(b)).max()) for a, b in pairs)
    return folder.name, name, delta


if __name__ == "__main__":
    folders = [Path(name) for name in sys.argv[1:]] or [GOLDENS / n for n in CASES]
    rows = [compare(folder) for folder in folders]
    print_table("kerasplm and transformers", ("model", "class", "max |Δ|"), rows)
