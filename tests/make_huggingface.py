"""Write tiny random models by transformers, with what it computes for them.

    python tests/make_huggingface.py tests/huggingface

Needs an environment of its own with torch and transformers (5.23 wrote those here).
"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}
CASES = {
    "bert": ("BertForPreTraining", {}),
    "bert_bare": ("BertModel", {"hidden_act": "gelu_new"}),
    "bert_classifier": ("BertForSequenceClassification", {"num_labels": 3}),
    "albert": ("AlbertForPreTraining", {"embedding_size": 8, "hidden_act": "relu"}),
    "electra": ("ElectraForPreTraining", {"embedding_size": 8}),
    "electra_generator": ("ElectraForMaskedLM", {"embedding_size": 8}),
    "roformer": ("RoFormerForMaskedLM", {"embedding_size": 8}),
}


def main(target: Path) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    inputs = {
        "input_ids": rng.integers(1, 50, (2, 9)),
        "token_type_ids": np.array([[0] * 5 + [1] * 4, [0] * 9]),
        "attention_mask": np.array([[1] * 9, [1] * 6 + [0] * 3]),
    }
    for name, (cls, more) in CASES.items():
        kind = getattr(transformers, cls)
        model = kind(kind.config_class(**SIZES, **more)).eval()
        # Not RoFormer's sinusoids, which are parameters there.
        for weight in (w for w in model.parameters() if w.requires_grad):
            torch.nn.init.normal_(weight, std=0.1 if weight.dim() == 1 else 0.2)
        model.save_pretrained(target / name)
        tensors = {key: torch.tensor(value) for key, value in inputs.items()}
        with torch.no_grad():
            out = model(**tensors, output_hidden_states=True)
        arrays = {k: v.numpy() for k, v in out.items() if k != "hidden_states"}
        for n, state in enumerate(out.hidden_states):
            arrays[f"hidden_{n}"] = state.numpy()
        np.savez_compressed(target / name / "io.npz", **inputs, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
