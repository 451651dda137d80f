"""The streams of the original data creators, record for record.

The goldens of this kind hold other people's text, so the repository has none of
them: KERASPLM_GOLDENS=DIR runs them. The raw text is DIR/../data, or KERASPLM_DATA.
"""

import hashlib
import json
import os
from pathlib import Path

import pytest

from kerasplm.characters import RULES
from kerasplm.pretraining.compat import CREATORS
from kerasplm.pretraining.compat.segment import get_new_segment
from kerasplm.python_tokenizer import PythonTokenizer
from tests import golden
from tests.golden import COMPACT, Case, every, read_text

DATA = Path(os.environ.get("KERASPLM_DATA", golden.ROOT.parent / "data"))
# The creator and the tokenizer of each original.
ORIGINALS = {
    "brightmart/albert_zh": ("albert_zh", "albert_zh"),
    "brightmart/roberta_zh": ("roberta_zh", "roberta_zh"),
    "google-research/albert": ("albert_google", "albert_google"),
    "google-research/bert": ("bert", "bert_lower"),
    "google-research/electra": ("electra", "electra_lower"),
    "ymcui/Chinese-ELECTRA": ("electra_zh", "electra_zh_lower"),
}
SIZES = ("max_seq_length", "max_predictions_per_seq")


def text_of(case: Case) -> Path:
    """Return the raw text that the case was made of."""
    name, digest = case.meta["input"], case.meta["input_sha256"]
    found = sorted(DATA.rglob(name)) if DATA.is_dir() else []
    for file in found:
        if hashlib.sha256(file.read_bytes()).hexdigest() == digest:
            return file
    pytest.fail(
        f"{case.folder} was made of the text {name} (sha256 {digest[:12]}...), which "
        f"is not under {DATA}: set KERASPLM_DATA to the folder that holds it"
    )


def stripped(record: dict) -> dict:
    """Return what the reference of one record holds: without padding."""
    size = sum(record["input_mask"])
    out = {
        "length": size,
        "input_ids": record["input_ids"][:size],
        "segment_a_length": record["segment_ids"][:size].count(0),
    }
    if "masked_lm_ids" in record:
        count = int(sum(record["masked_lm_weights"]))
        out["masked_lm_positions"] = record["masked_lm_positions"][:count]
        out["masked_lm_ids"] = record["masked_lm_ids"][:count]
        out["next_sentence_label"] = record["next_sentence_labels"][0]
    if "token_boundary" in record:
        out["token_boundary"] = record["token_boundary"][:size]
    return out


@every("pretraining_data")
def test_every_record_is_the_original(case):
    name, rules = ORIGINALS[case.meta["source_repo"]]
    vocab = read_text(COMPACT / "tokenizers_tf1" / "vocab.txt")
    tokens = [row.strip() for row in vocab.removesuffix("\n").split("\n")]
    tokenizer = PythonTokenizer(tokens, **RULES[rules])
    creator, options = CREATORS[name], case.meta["args"]
    made = creator.instances(
        [text_of(case)], tokenizer, random_seed=case.meta["seed"], **options
    )
    sizes = {key: options[key] for key in SIZES if key in options}
    records = [creator.features(instance, tokenizer, **sizes) for instance in made]
    assert len(records) == case.meta["statistics"]["instances"]
    assert sorted(records[0]) == case.meta["feature_names"]

    rows = read_text(case.folder / "instances.jsonl").splitlines()
    for ours, row in zip(records, rows, strict=False):
        theirs = json.loads(row)
        before = theirs.pop("tokens_before_masking", None)
        assert stripped(ours) == theirs
        if before is not None:
            labels = zip(
                theirs["masked_lm_positions"], theirs["masked_lm_ids"], strict=True
            )
            assert all(tokenizer.id_of(before[i]) == label for i, label in labels)

    digest = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
    assert digest == case.meta["sha256_of_all_decoded_records"]

    marks = case.folder / "get_new_segment.jsonl"
    if marks.exists():
        for row in read_text(marks).splitlines():
            tokens, theirs = json.loads(row)
            assert get_new_segment(tokens) == theirs
