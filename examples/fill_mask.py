"""Guess a masked character: `python examples/fill_mask.py [DIR] [TEXT with _]`."""

import sys

import numpy as np

import kerasplm as plm
from kerasplm.demo import MODEL

folder = sys.argv[1] if len(sys.argv) > 1 else MODEL
text = sys.argv[2] if len(sys.argv) > 2 else "房间很干_，服务员也很热情。"

if text.count("_") != 1:
    sys.exit(f"expected one _ in the text, found {text.count('_')}")
model = plm.load(folder, heads="pretraining")
tokenizer = plm.load_tokenizer(folder, in_graph=False)
if "mlm" not in model.heads or tokenizer.mask_id is None:
    sys.exit(f"{folder}: needs an MLM head and [MASK] in the vocabulary")
before, after = text.split("_")
# "[MASK]" in a text would be taken apart, so its id is put between two texts.
a, b = (tokenizer.tokenize([part])[0] for part in (before, after))
ids = [tokenizer.cls_id, *a, tokenizer.mask_id, *b, tokenizer.sep_id]
logits = model({"token_ids": np.array([ids])})["mlm_logits"][0, 1 + len(a)]
scores = np.exp(logits - np.max(logits))
scores /= scores.sum()
for n in np.argsort(-scores)[:5]:
    print(f"{tokenizer.vocab[n]}  {scores[n]:.1%}")
