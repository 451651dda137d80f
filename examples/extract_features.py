"""Sentence and character vectors: `python examples/extract_features.py [DIR]`."""

import sys

import numpy as np

import kerasplm as plm
from kerasplm.demo import MODEL

SENTENCES = ["房间很干净，也很安静。", "屋子整洁又舒适。", "快递昨天才送到。"]

folder = sys.argv[1] if len(sys.argv) > 1 else MODEL
encoder = plm.load(folder)
tokenizer = plm.load_tokenizer(folder)

out = encoder(tokenizer(SENTENCES, max_length=64))
print("sequence_output", out["sequence_output"].shape)
print("pooled_output", out["pooled_output"].shape)

# The mean over the real tokens is a fair sentence vector without any training.
batch = tokenizer(SENTENCES, max_length=64)
mask = np.asarray(batch["padding_mask"], "float32")[..., None]
vectors = (out["sequence_output"].numpy() * mask).sum(1) / mask.sum(1)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
print(np.round(vectors @ vectors.T, 3))
