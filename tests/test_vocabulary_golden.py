"""Simplified vocabularies, kept and compound rows against bert4keras."""

import json
from hashlib import sha256

import pytest
from keras import ops

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.sources import open_source
from kerasplm.vocab import load_vocab
from kerasplm.vocabulary_rows import ResizedVocabulary
from tests.golden import ROOT, Case, Comparison, cases, ids, read_text

# An output layer of its own holds the tokens in its columns.
COLUMNS = {
    "keep/shared_embedding": ("shared/embedding", 0),
    "keep/lm_kernel": ("decoder/logits/kernel", 1),
}
KEEP = [case for case in cases() if "compound_tokens" in case.meta]


def test_golden_cases_are_found():
    assert len(KEEP) >= 2
    held = [
        case.name
        for case in cases("bert4keras", "foreign", "seq2seq")
        if (case.folder / "io.npz").exists() and "keep_tokens" in case.io
    ]
    assert held == [case.name for case in KEEP]


@pytest.mark.parametrize("case", KEEP, ids=ids)
def test_kept_and_compound_rows_golden(case: Case):
    compare = Comparison(case, " (vocabulary)")
    changes = {
        "keep_tokens": case.io["keep_tokens"],
        "compound_tokens": case.meta["compound_tokens"],
    }
    columns = "keep/lm_kernel" in case.io
    check = compare_columns if columns else compare_model
    check(case, compare, changes)
    compare.finish()


def compare_model(case: Case, compare: Comparison, changes: dict) -> None:
    io = case.io
    handled = {"keep/word_embeddings", "keep/output_bias", "keep/mlm_logits"}
    assert {key for key in io if key.startswith("keep/")} == handled
    model = plm.load(case.folder, heads="pretraining", hidden_act="gelu_erf", **changes)
    weights = checkpoint.named_weights(model)
    word, bias = weights["encoder/embeddings/word"], weights["mlm/bias"]
    compare("word table", word, io["keep/word_embeddings"], 1e-7)
    compare("mlm bias", bias, io["keep/output_bias"], 1e-7)
    real = io["keep_token_ids"] != 0
    mask = real.copy()
    mask[:, 0] = True  # bert4keras never masks the first token
    batch = {"token_ids": io["keep_token_ids"], "padding_mask": mask}
    out = model(batch | {"segment_ids": io["keep_segment_ids"]})
    tolerance = case.meta["recommended_tolerance"]["logits_atol"]
    logits = ops.convert_to_numpy(out["mlm_logits"])
    compare("mlm logits", logits, io["keep/mlm_logits"], tolerance, real)
    count = len(io["keep_tokens"]) + len(case.meta["compound_tokens"])
    assert logits.shape[-1] == model.encoder.config.vocab_size == count


def compare_columns(case: Case, compare: Comparison, changes: dict) -> None:
    with open_source(case.folder) as source:
        axes = dict(COLUMNS.values())
        view = ResizedVocabulary(source.weights(), axes, **changes)
        for key, (name, _) in COLUMNS.items():
            compare(key, view.read(name), case.io[key], 1e-7)
            assert view.shapes[name] == case.io[key].shape


def test_simplified_vocabulary_golden():
    folder = ROOT / "tokenizer"
    golden = json.loads(read_text(folder / "golden.json"))["simplified_vocab"]
    tokens = load_vocab(folder / "vocab.txt")
    assert set(golden) == {"simbert", "wobert", "none"}
    for row in golden.values():
        new, keep = plm.simplify_vocab(tokens, row["startswith"] or ())
        assert len(keep) == row["size"]
        assert keep[:20] == row["keep_first20"]
        assert keep[-5:] == row["keep_last5"]
        assert keep == row.get("keep_tokens", keep)
        text = json.dumps(keep).encode()
        assert sha256(text).hexdigest() == row["keep_tokens_sha256"]
        assert new == [tokens[i] for i in keep]
        # The rows of U+2028 are empty when stripped; they are kept.
        assert (tokens[343], tokens[13502]) == ("", "##")
        assert {343, 13502} < set(keep)
    assert plm.simplify_vocab(tokens) == plm.simplify_vocab(
        tokens, golden["wobert"]["startswith"]
    )
