"""Data and training mean the same: letters, layouts, second texts, idle choices."""

import json

import pytest

import kerasplm as plm
from kerasplm.errors import ConfigError, DataError
from kerasplm.pretraining import originals
from kerasplm.pretraining.agreement import check_agreement
from kerasplm.pretraining.corpus import Masks
from kerasplm.pretraining.creating import create
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.records import encode, frame
from kerasplm.pretraining.training_settings import Settings
from kerasplm.python_tokenizer import PythonTokenizer
from tests.test_pretraining_command import SIZES

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一丁七万丈三上下AaBb"]
TEXT = "一丁七AB\n万丈三上\n下一丁七\n\n万丈ab三上下\n一丁七万\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    (folder / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(SIZES | {"vocab_size": len(WORDS)}))
    return folder


def data(place, name, layout="doc-sentences", **rules):
    tokenizer = PythonTokenizer(WORDS, **rules)
    settings = DataSettings(layout, max_length=24)
    files = [str(place / "text.txt")]
    create(files, place / name, tokenizer, settings, workers=1)
    return place / name


def train(place, folder, output, objective="mlm", **choices):
    begin = {"config": str(place / "config.json"), "vocab": str(place / "vocab.txt")}
    return plm.PretrainingJob(
        data=folder,
        output=output,
        objectives=(objective,),
        settings=Settings(steps=1, batch_size=4, max_length=24, peak_flops=None),
        masks=Masks(whole_words=False),
        **(begin | {"family": "bert", "strategy": "cpu"} | choices),
    ).run(show=False)


def test_a_vocabulary_alone_takes_the_letters_of_the_data(place, tmp_path):
    """Then a model made so refuses data made in another way."""
    cased = data(place, "cased", lowercase=False)
    train(place, cased, tmp_path / "out")
    last = tmp_path / "out" / "checkpoints" / "step-00000001"
    tokenizer = plm.load_tokenizer(last, in_graph=False)
    assert tokenizer.get_config()["lowercase"] is False
    assert tokenizer.tokens("AB") == ["[UNK]"]
    lower = data(place, "lower")
    begin = {"model": str(last), "config": None, "vocab": None}
    with pytest.raises(DataError, match=r"lowercase=False, found lowercase=True. Make"):
        train(place, lower, tmp_path / "other", **begin)
    assert not (tmp_path / "other").exists()
    train(place, cased, tmp_path / "more", **begin)


def test_data_of_both_kinds_together(place):
    cased, lower = data(place, "c", lowercase=False), data(place, "l")
    files = [str(next(x.glob("*.tfrecord"))) for x in (cased, lower)]
    case = PythonTokenizer(WORDS).get_config()
    with pytest.raises(DataError, match="with --lower-case"):
        check_agreement(files, WORDS, ["mlm"], case)
    check_agreement(files[1:], WORDS, ["mlm"], case)


@pytest.mark.parametrize("objective", ["unilm", "simbert"])
def test_a_second_text_is_needed(place, tmp_path, objective):
    """Files without `dataset.json`, such as those of the scripts, say it themselves."""
    folder = data(place, f"single-{objective}")
    (folder / "dataset.json").unlink()
    with pytest.raises(DataError, match=f"two texts in an instance for {objective}, f"):
        train(place, folder, tmp_path / "out", objective)
    assert not (tmp_path / "out").exists()


def test_a_second_text_may_come_late(tmp_path):
    rows = [{"input_ids": [2, 5, 3], "segment_ids": [0, 0, 0]}] * 200
    rows.append({"input_ids": [2, 5, 3, 6, 3], "segment_ids": [0, 0, 0, 1, 1]})
    file = tmp_path / "late.tfrecord"
    file.write_bytes(b"".join(frame(encode(row)) for row in rows))
    check_agreement([str(file)], WORDS, ["unilm"])
    file.write_bytes(b"".join(frame(encode(row)) for row in rows[:-1]))
    with pytest.raises(DataError, match="late.tfrecord: expected two texts"):
        check_agreement([str(file)], WORDS, ["unilm"])


@pytest.mark.parametrize(
    ("choices", "idle"),
    [
        ({"eval_steps": 5}, "eval_steps"),
        ({"best": "masked_lm_accuracy"}, "best"),
        ({"eval_steps": 5, "eval_batches": 7}, "eval_steps and eval_batches"),
    ],
)
def test_choices_of_an_evaluation_that_is_none(choices, idle):
    with pytest.raises(ConfigError, match=f"^{idle}: without effect, as there are no"):
        plm.PretrainingJob(
            data="x", output="y", model="z", settings=Settings(**choices)
        )


@pytest.mark.parametrize(
    ("name", "flags", "layout"),
    [
        ("bert", {}, "nsp"),
        ("albert_google", {}, "sop"),
        ("albert_google", {"random_next_sentence": True}, "nsp"),
        ("electra", {}, "electra"),
    ],
)
def test_data_of_the_originals_tell_their_pairs(place, tmp_path, name, flags, layout):
    size = "max_seq_length"
    files = [str(place / "text.txt")]
    tokenizer = PythonTokenizer(WORDS)
    originals.create(name, files, tmp_path / "o", tokenizer, **{size: 24}, **flags)
    facts = json.loads((tmp_path / "o" / "dataset.json").read_text())
    assert facts["layout"] == layout
    wrong = "sop" if layout == "nsp" else "nsp"
    found = [str(next((tmp_path / "o").glob("*tfrecord*")))]
    with pytest.raises(DataError, match=f"of the layout {wrong} for {wrong}, found"):
        check_agreement(found, WORDS, [wrong])


def test_every_original_has_a_layout():
    assert set(originals._LAYOUTS) == set(originals.NAMES)
