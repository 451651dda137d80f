"""Data creation refuses bad input with one clear sentence."""

import pytest

from kerasplm.errors import ConfigError, DataError, VocabError
from kerasplm.files import alone
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.python_tokenizer import PythonTokenizer
from tests.test_pretraining_creating import SMALL, TOKENIZER, VOCAB, corpus


def attempt(tmp_path, data, settings=None, tokenizer=TOKENIZER, **options):
    path = tmp_path / "t.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    settings = settings or DataSettings(**SMALL)
    return create([str(path)], tmp_path / "o", tokenizer, settings, **options)


def test_not_utf8_is_found_before_the_work(tmp_path):
    data = ("一丁七\n\n" * 3000).encode() + "中文\n".encode("gb18030")
    with pytest.raises(DataError, match=r"t.txt:6001: expected text in UTF-8, found"):
        attempt(tmp_path, data, workers=2)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t.txt: expected text, found empty files only"),
        (" \n\n\u3000\n", r"t.txt: expected text, found blank lines only"),
        (
            "一\n\n丁\n",
            r"t.txt: expected a usable document, found none among 2: 2 of fewer than 5 "
            r"tokens. See --min-tokens",
        ),
    ],
)
def test_nothing_to_use(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        attempt(tmp_path, text, workers=1)
    assert not (tmp_path / "o").exists()
    # Another choice may be tried in the same folder.
    good = attempt(tmp_path, "一丁七万丈\n", DataSettings("causal"), workers=1)
    assert good["statistics"]["instances"] == 1


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "o").write_text("mine")
    with pytest.raises(DataError, match="o: expected a folder, found a file"):
        attempt(tmp_path, "一丁七万丈\n")
    assert (tmp_path / "o").read_text() == "mine"


def test_pairs_of_one_document_are_warned_of(tmp_path, capfd):
    """Without blank lines no pair has a stranger."""
    (tmp_path / "t.txt").write_text("一丁七万丈三上下\n" * 9, encoding="utf-8")
    settings = DataSettings("nsp", max_length=16)
    create(
        [str(tmp_path / "t.txt")],
        tmp_path / "o",
        TOKENIZER,
        settings,
        workers=1,
        show=True,
    )
    assert "pairs have the label 0: they teach nothing" in capfd.readouterr().err


def test_missing_files(tmp_path):
    with pytest.raises(
        DataError, match=r"no\*.txt: expected text files there, found n"
    ):
        create([str(tmp_path / "no*.txt")], tmp_path / "o", TOKENIZER)
    assert not (tmp_path / "o").exists()


def test_other_choices_and_other_data(tmp_path):
    text = "一丁七万丈三上下\n" * 9
    attempt(tmp_path, text, workers=1)
    assert attempt(tmp_path, text, workers=1)["shard_count"] == 3
    message = "o: holds data of other choices: max_length: expected 32, found 64"
    with pytest.raises(DataError, match=message):
        attempt(tmp_path, text, DataSettings(max_length=64, shards=3, block_bytes=2000))
    with pytest.raises(DataError, match="other choices: inputs"):
        attempt(tmp_path, text + "下\n")
    with pytest.raises(DataError, match="other choices: vocabulary"):
        attempt(tmp_path, text, tokenizer=PythonTokenizer([*VOCAB, "新"]))
    next((tmp_path / "o").glob("records-*")).unlink()
    with pytest.raises(DataError, match=r"records-.*: expected a file, found none"):
        attempt(tmp_path, text)


def test_foreign_records(tmp_path):
    (tmp_path / "o").mkdir()
    file = tmp_path / "o" / "records-00000-of-00001.tfrecord"
    file.write_bytes(b"mine")
    with pytest.raises(DataError, match="expected a folder without records"):
        attempt(tmp_path, "一丁七万丈三上下\n")
    assert file.read_bytes() == b"mine"


def test_two_runs_at_once(tmp_path):
    with (
        alone(tmp_path / "o"),
        pytest.raises(ConfigError, match="o: another run writes there now"),
    ):
        attempt(tmp_path, "一丁七万丈三上下\n")


def test_a_text_that_changes(tmp_path, monkeypatch):
    from kerasplm.pretraining import creating

    monkeypatch.setattr(creating._Run, "_finish", lambda *args: {})
    text = "一丁七万丈三上下\n"
    attempt(tmp_path, text, workers=1)
    with pytest.raises(DataError, match="other choices: modified"):
        attempt(tmp_path, text, workers=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"layout": "pairs"},
            "layout: expected nsp, sop, doc-sentences, electra, causal",
        ),
        ({"form": "both"}, "form: expected dynamic or static, found 'both'"),
        ({"max_length": 7}, "max_length: expected 8 or more, found 7"),
        ({"masked_lm_prob": 0.0}, "masked_lm_prob: expected a share between 0 and 1"),
        ({"short_seq_prob": 1.5}, "short_seq_prob: expected a share from 0 to 1"),
        ({"max_predictions": 129}, "max_predictions: expected 1 to 128, found 129"),
        ({"dupe_factor": 0}, "dupe_factor: expected 1 or more, found 0"),
        ({"shards": 0}, "shards: expected 1 or more, found 0"),
        ({"ngram": 0}, "ngram: expected 1 or more, found 0"),
    ],
)
def test_settings_out_of_range(values, message):
    with pytest.raises(DataError, match=message):
        DataSettings(**values)


def test_settings_that_follow_from_others():
    assert DataSettings().max_predictions == 19
    assert DataSettings("sop", "static").dupe_factor == 10
    assert DataSettings("electra", "static").dupe_factor == 1
    assert DataSettings("sop").short_seq_prob == 0.1
    settings = DataSettings("unilm", seed=3)
    assert DataSettings.from_json(settings.to_json()) == settings


def test_vocabularies_that_cannot_be_used(tmp_path):
    text = "一丁七万丈三上下\n"
    words = PythonTokenizer(VOCAB, pre_tokenize=lambda text: [text])
    with pytest.raises(VocabError, match="expected a vocabulary of characters"):
        attempt(tmp_path, text, tokenizer=words)
    bare = PythonTokenizer([token for token in VOCAB if token != "[MASK]"])
    with pytest.raises(VocabError, match=r"expected a token \[MASK\], found none"):
        attempt(tmp_path, text, tokenizer=bare)


def test_workers_out_of_range(tmp_path):
    with pytest.raises(DataError, match="workers: expected 1 or more, found 0"):
        attempt(tmp_path, "一\n", workers=0)


def test_errors_of_workers_keep_their_sentence(tmp_path):
    text = corpus(tmp_path / "c.txt")
    words = tmp_path / "words.txt"
    words.write_bytes("一丁\n".encode() + b"\xff\n")
    settings = DataSettings(whole_words=str(words), **SMALL)
    with pytest.raises(DataError, match=r"words.txt: line 2: expected a word in UTF-8"):
        create([text], tmp_path / "o", TOKENIZER, settings, workers=2)
    with pytest.raises(DataError, match=r"nowhere.txt: No such file"):
        create(
            [text], tmp_path / "p", TOKENIZER, DataSettings(whole_words="nowhere.txt")
        )
