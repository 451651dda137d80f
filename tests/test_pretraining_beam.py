"""The Beam pipeline writes the files of the local engine."""

import sys

import pytest

from kerasplm.errors import DataError
from kerasplm.pretraining import beam
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings
from tests.test_pretraining_creating import SMALL, TOKENIZER, contents, corpus


def test_beam_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    text = corpus(tmp_path / "t.txt")
    with pytest.raises(DataError, match=r"pip install 'kerasplm\[beam\]'"):
        beam.create([text], str(tmp_path / "o"), TOKENIZER, DataSettings(**SMALL))
    with pytest.raises(DataError, match="runner: expected direct, dataflow, flink, sp"):
        beam.create([text], "o", TOKENIZER, DataSettings(**SMALL), "storm")


def test_beam_writes_the_same_files(tmp_path):
    pytest.importorskip("apache_beam")
    texts = [corpus(tmp_path / f"{n}.txt", documents=20, seed=n) for n in range(2)]
    # More shards than some blocks have documents, so that some stay empty.
    settings = DataSettings("nsp", "static", 32, dupe_factor=2, shards=9)
    create(texts, tmp_path / "here", TOKENIZER, settings, workers=2)
    out = tmp_path / "there"
    facts = beam.create([",".join(texts)], str(out), TOKENIZER, settings)
    assert facts["statistics"]["instances"] > 100
    assert contents(out) == contents(tmp_path / "here")
    with pytest.raises(DataError, match="expected a folder without data, found some"):
        beam.create(texts, str(out), TOKENIZER, settings)


def test_beam_tells_bad_input(tmp_path):
    pytest.importorskip("apache_beam")
    settings, out = DataSettings(**SMALL), str(tmp_path / "o")
    with pytest.raises(DataError, match=r"no.txt: expected text files there, found no"):
        beam.create([str(tmp_path / "no.txt")], out, TOKENIZER, settings)
    text = tmp_path / "t.txt"
    text.write_bytes("一丁七万丈\n".encode() + b"\xff\n")
    with pytest.raises(
        DataError, match=r"t.txt:2: expected text in UTF-8, found the by"
    ):
        beam.create([str(text)], out, TOKENIZER, settings)
    text.write_bytes(b"\n\n")
    with pytest.raises(
        DataError, match=r"t.txt: expected text, found blank lines only"
    ):
        beam.create([str(text)], out, TOKENIZER, settings)
    text.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"t.txt: expected text, found empty files only"
    ):
        beam.create([str(text)], out, TOKENIZER, settings)
    assert not (tmp_path / "o" / "dataset.json").exists()
