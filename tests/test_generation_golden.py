"""Decoding gives the ids of the original code: bert4keras and NEZHA-Gen."""

import functools

import pytest

import kerasplm as plm
from kerasplm.generation import Decoder, Decoding, next_token
from kerasplm.generation.sources import batch_of
from tests.golden import COMPACT, ROOT, Case, cases, every

KINDS = ("bert4keras", "seq2seq")
ATTENTION = {"decode": "unilm", "decode_lm": "causal"}
OPTIONS = {
    "topk": "beams",
    "maxlen": "max_length",
    "minlen": "min_length",
    "min_ends": "min_ends",
    "end_id": "end_id",
}


def traces() -> list[tuple[Case, str]]:
    return [(c, key) for c in cases(*KINDS) for key in ATTENTION if key in c.meta]


def name(value: object) -> str:
    return value.name if isinstance(value, Case) else str(value)


def test_there_are_traces():
    assert len(traces()) == 7 or ROOT != COMPACT


@pytest.mark.parametrize(("case", "key"), traces(), ids=name)
def test_bert4keras_decoding_golden(case: Case, key: str):
    """All sources of a choice of options in one batch: each as if it were alone."""
    recorded, decoders = case.meta[key], {}
    seq2seq = case.kind == "seq2seq"
    # bert4keras ran with its default, the erf form.
    fields = {"attention": ATTENTION[key], "hidden_act": "gelu_erf"}
    model = plm.load(case.folder, heads="pretraining", **({} if seq2seq else fields))
    groups = {}
    for row in recorded["results"]:
        options = {ours: row[theirs] for theirs, ours in OPTIONS.items()}
        decoding = Decoding(**options, compatible="bert4keras")
        groups.setdefault(decoding, []).append(row)
    for decoding, rows in groups.items():
        start = rows[0].get("start_id")
        if decoding.beams not in decoders:
            decoders[decoding.beams] = Decoder(
                next_token(model, start), decoding, started=seq2seq
            )
        decoder = decoders[decoding.beams].like(decoding)
        batch = batch_of([recorded["sources"][row["src"]] for row in rows], 0)
        for row, found in zip(rows, decoder(batch), strict=True):
            ids = found.ids[0] if start is None else [start, *found.ids[0]]
            assert ids == row["output_ids"], (decoding, row["src"])
    assert {decoder.traces for decoder in decoders.values()} == {1}


# The rule of poetry.py: [UNK] is banned and what was generated before the last token
# almost so, but for "，" and "。".
RULES = {
    "nezha_gen": {},
    "nezha_gen_poetry": {
        "suppress": (100,),
        "repetition_penalty": 1000.0,
        "repetition_lag": 1,
        "repetition_exempt": (8024, 511),
    },
}


@every("causal_lm")
def test_nezha_gen_decoding_golden(case: Case):
    theirs = case.io["generated_ids"][0].tolist()
    model = plm.load(case.folder, heads="pretraining")
    decoding = Decoding(max_length=len(theirs), **RULES[case.name])
    decoder = Decoder(next_token(model, 0), decoding)
    batch = functools.partial(batch_of, pad_id=0)
    assert decoder(batch(case.io["input_ids"].tolist()))[0].ids == [theirs]
    if case.name == "nezha_gen_poetry":
        plain = Decoder(next_token(model, 0), Decoding(max_length=len(theirs)))
        assert plain(batch(case.io["input_ids"].tolist()))[0].ids != [theirs]
