"""`kerasplm pretrain`: from records to checkpoints that every other command takes."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import kerasplm as plm
from kerasplm.cli import app
from kerasplm.files import alone
from kerasplm.pretraining.logs import read_history
from tests.pretraining_records import VOCAB, write_folder, write_records

SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Records, held-out records, configuration, vocabulary."""
    folder = tmp_path_factory.mktemp("files")
    write_folder(folder / "data")
    write_folder(folder / "held_out", sizes=(60,))
    write_folder(folder / "masked", sizes=(60,), form="masked")
    (folder / "config.json").write_text(json.dumps(SIZES))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [chr(0x4E00 + n) for n in range(VOCAB - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return folder


def pretrain(files, output, *more, begin=None, data=None):
    begin = begin or ("--config", files / "config.json", "--vocab", files / "vocab.txt")
    command = ["pretrain", "--data", data or files / "data"]
    command += ["--output", output, *begin]
    command += ["--family", "bert", "--strategy", "cpu", "--max-length", 24]
    command += ["--batch-size", 8, "--peak-flops", 1e9, *more]
    return CliRunner().invoke(app, [str(word) for word in command])


def test_from_scratch_in_stages_and_on_from_there(files, tmp_path):
    """Two objectives, two stages, packing, an evaluation; then another training."""
    out = tmp_path / "out"
    common = ("--objective", "mlm", "--objective", "sop:0.5", "--steps", 6)
    common += ("--stages", "4:24", "--stages", "2:32:16", "--eval-data")
    common += (files / "held_out", "--save-steps", 2, "--keep", 1, "--log-steps", 1)
    common += ("--best", "masked_lm_accuracy", "--packing", 2, "--ngram", 2)
    common += ("--accumulation", 2, "--recompute", "--optimizer", "lamb")
    common += ("--schedule", "nezha", "--warmup", 2, "--power", 2, "--no-jit")
    common += ("--beta-2", 0.98, "--weight-decay", 0.1, "--clip-norm", 0.5)
    common += ("--layer-decay", 0.9, "--seed", 3, "--mask-prob", 0.2)
    common += ("--eval-batches", 1, "--steps-per-execution", 1, "--precision")
    common += ("bfloat16", "--shuffle-buffer", 16, "--set", "hidden_dropout_prob=0.0")
    done = pretrain(files, out, *common)
    assert done.exit_code == 0, done.output
    results = json.loads((out / "results.json").read_text())
    assert results["step"] == 6
    assert results["settings"]["optimizer"] == "lamb"
    assert results["settings"]["stages"] == ["4:24", "2:32:16"]
    rows = read_history(out / "history.csv")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [("val_sentence_order_loss" in row) for row in rows] == [False, True] * 3
    assert rows[5]["tokens"] > 1.5 * rows[0]["tokens"]
    assert all(row["utilisation"] > 0 for row in rows)
    best = json.loads((out / "checkpoints" / "best.json").read_text())
    scores = {row["step"]: row.get("val_masked_lm_accuracy", -1) for row in rows}
    assert best["score"] == max(scores.values()) == scores[best["step"]]
    kept = sorted(folder.name for folder in (out / "checkpoints").glob("step-*"))
    assert kept == sorted({best["folder"], "step-00000006"})
    last = out / "checkpoints" / "step-00000006"
    model = plm.load(last, heads="pretraining")
    assert list(model.heads) == ["mlm", "sentence_pair"]
    assert plm.load_tokenizer(last).vocab_size == VOCAB
    # The same again: nothing is left to do. Another choice: not in this folder.
    again = pretrain(files, out, *common)
    assert again.exit_code == 0, again.output
    other = pretrain(files, out, *common, "--learning-rate", 1e-5)
    assert "holds a run with other settings" in str(other.exception)
    # From the checkpoint.
    more = pretrain(files, tmp_path / "more", "--steps", 1, begin=("--model", last))
    assert more.exit_code == 0, more.output
    before, after = (
        plm.load(f, heads="pretraining").get_weights()[0]
        for f in (last, tmp_path / "more" / "checkpoints" / "step-00000001")
    )
    assert 0 < np.abs(before - after).max() < 1e-3


def test_electra(files, tmp_path):
    words = ("--objective", "rtd", "--steps", 2, "--set", "disc_weight=20")
    words += ("--set", "generator_hidden_size=0.5", "--no-whole-words", "--jit")
    config = dict(SIZES, embedding_size=16)
    (files / "electra.json").write_text(json.dumps(config))
    begin = ("--config", files / "electra.json", "--vocab", files / "vocab.txt")
    done = pretrain(files, tmp_path / "out", *words, "--family", "electra", begin=begin)
    assert done.exit_code == 0, (done.output, done.exception)
    last = tmp_path / "out" / "checkpoints" / "step-00000002"
    assert list(plm.load(last, heads="pretraining").heads) == ["rtd"]
    generator = plm.load(last, heads="pretraining", part="generator")
    assert generator.encoder.config.hidden_size == 16
    (row,) = read_history(tmp_path / "out" / "history.csv")
    assert 0 < row["disc_auc"] < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objective", "mlx"), "objective: no 'mlx'"),
        (("--objective", "sop:x"), "expected NAME or NAME:WEIGHT"),
        (("--objective", "rtd", "--objective", "mlm"), "stands alone"),
        (("--set", "disc_weight=2"), "only of the objective 'rtd'"),
        (("--set", "colour=2"), "neither a field"),
        (("--steps", "5", "--stages", "4:24"), "5 steps in all"),
        (("--stages", "4x24"), "STEPS:LENGTH"),
        (("--max-length", "20"), "instances of up to 24 tokens"),
        (("--max-length", "64"), "the model has 32 positions"),
        (("--batch-size", "9", "--accumulation", "2"), "must be a multiple of 2"),
        (("--eval-data", "{held}", "--batch-size", "80"), "found fewer rows"),
        (("--eval-data", "{held}", "--best", "f1"), "best: no 'f1'; there are loss"),
        (("--objective", "rtd:2"), "stands alone and without a weight"),
        (("--objective", "mlm:0"), "a weight above 0"),
        (("--objective", "nsp", "--objective", "sop"), "expected nsp or sop, not both"),
        (
            ("--objective", "simbert", "--packing", "2"),
            "packing: expected 1, as simbert",
        ),
        (
            ("--eval-data", "{masked}"),
            "expected held-out instances without masks as in",
        ),
        (("--strategy", "gpu"), "strategy: no 'gpu'"),
        (("--tpu-zone", "eu"), "zone and project are of a TPU"),
        (("--strategy", "mirrored"), "needs several GPUs"),
        (("--strategy", "multi_worker"), "TF_CONFIG"),
        (("--precision", "int8"), "precision must be one of"),
        (("--mask-prob", "1.5"), "mask_prob must be"),
        (("--model", "x"), "either a model or a configuration"),
        (("--hardware", "v100"), "are for --dry-run"),
        (("--eval-data", "{data}"), "a file that is also trained on"),
        (
            ("--objective", "sop", "--set", "type_vocab_size=1"),
            "sop: two segments are needed",
        ),
    ],
)
def test_refuses(files, tmp_path, words, message):
    names = {"held": "held_out", "masked": "masked", "data": "data"}
    places = {name: files / folder for name, folder in names.items()}
    words = [word.format(**places) for word in words]
    done = pretrain(files, tmp_path / "out", *words)
    assert done.exit_code
    assert message in str(done.exception)
    left = [file.name for file in (tmp_path / "out").glob("state/*.npz")]
    assert not left


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objective", "causal_lm"), "holds masks of its own, which causal_lm would"),
        (("--eval-data", "{held}"), "expected held-out instances with masks as in"),
    ],
)
def test_data_with_masks_of_their_own(files, tmp_path, words, message):
    words = [
        word.format(held=files / "held_out", data=files / "data") for word in words
    ]
    done = pretrain(
        files, tmp_path / "out", *words, "--steps", 1, data=files / "masked"
    )
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_choices_of_masks_that_do_nothing(files, tmp_path, caplog):
    words = ("--steps", 1, "--ngram", 2, "--mask-prob", 0.5)
    done = pretrain(files, tmp_path / "out", *words, data=files / "masked")
    assert done.exit_code == 0, done.exception
    assert "holds masks of its own: mask_prob and ngram without effect" in caplog.text


def test_steps_of_stages(files, tmp_path):
    done = pretrain(files, tmp_path / "out", "--stages", "1:24", "--stages", "1:32")
    assert done.exit_code == 0, done.exception
    assert json.loads((tmp_path / "out" / "results.json").read_text())["step"] == 2


def test_two_at_once(files, tmp_path):
    """The second must not touch what the first one writes."""
    out = tmp_path / "out"
    with alone(out):
        (out / "state" / ".tmp-of-the-first").mkdir(parents=True)
        done = pretrain(files, out, "--steps", 1)
        assert str(done.exception) == f"{out}: another run writes there now"
        assert (out / "state" / ".tmp-of-the-first").is_dir()


def test_a_damaged_record_ends_with_its_place(files, tmp_path):
    shutil.copytree(files / "data", tmp_path / "data")
    file = sorted((tmp_path / "data").glob("*.tfrecord"))[1]
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 255
    file.write_bytes(bytes(raw))
    done = pretrain(files, tmp_path / "out", "--steps", 20, data=tmp_path / "data")
    assert isinstance(done.exception, plm.errors.DataError)
    assert f"{file}: record " in str(done.exception)


def dry_run(*words):
    return CliRunner().invoke(app, ["pretrain", "--dry-run", *words])


def test_dry_run_of_a_recipe():
    """ALBERT-tiny's own numbers; a batch that is too large is divided."""
    told = dry_run("--recipe", "albert-tiny", "--hardware", "v100*8")
    assert told.exit_code == 0, told.output
    assert "albert-tiny-zh.brightmart" in told.output
    assert "4,295,186" in told.output  # with the heads of MLM and SOP
    assert "125,000 × 4096 × 512" in told.output
    assert "262,144,000,000" in told.output
    (line,) = [row for row in told.output.splitlines() if "v100*8" in row]
    assert int(line.split("│")[2]) > 1
    fast, slow = (
        dry_run("--recipe", "albert-tiny", "--utilisation", u, "--hardware", "t4*1000")
        for u in ("0.8", "0.4")
    )
    hours = [
        float(run.output.split("t4*1000")[1].split("│")[3].split()[0])
        for run in (fast, slow)
    ]
    assert hours[1] == pytest.approx(2 * hours[0], rel=0.1)


def test_dry_run_of_electra_and_of_a_shorter_training():
    told = dry_run("--recipe", "electra-small", "--steps", "1000")
    assert "1,000 × 1024 × 512" in told.output
    shorter = dry_run("--recipe", "bert-wwm", "--steps", "20", "--batch-size", "8")
    assert "20 × 8 × 128" in shorter.output


def test_dry_run_of_a_configuration(files):
    common = ("--config", str(files / "config.json"), "--family", "bert")
    told = dry_run(*common, "--objective", "causal_lm", "--max-length", "32")
    assert told.exit_code == 0, told.exception
    assert "100,000 × 32 × 32" in told.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "albert-tiny"), "expected --data and --output"),
        (("--recipe", "albert-tyni", "--dry-run"), "did you mean albert-tiny"),
        (("--recipe", "nezha-base", "--dry-run"), "steps is not published"),
        (("--recipe", "albert-tiny", "--dry-run", "--hardware", "x"), "one of tpu-v2"),
        (
            ("--recipe", "albert-tiny", "--dry-run", "--utilisation", "2"),
            "utilisation must be in",
        ),
    ],
)
def test_recipes_refuse(words, message):
    done = CliRunner().invoke(app, ["pretrain", *words])
    assert done.exit_code
    assert message in str(done.exception)


def test_list_of_recipes():
    told = CliRunner().invoke(app, ["pretrain", "--recipe", "list"])
    assert "zhuiyi-roberta-tiny" in told.output


@pytest.mark.parametrize("named", ["", "*.tfrecord", "records-00000-of-00004.tfrecord"])
def test_data_of_another_kind(files, tmp_path, named):
    """The ids of another vocabulary, or pairs whose label means something else."""
    facts = json.loads((files / "data" / "dataset.json").read_text())
    for objective, changes, message in (
        (
            "sop",
            {"layout": "nsp"},
            "expected pairs of the layout sop for sop, found nsp",
        ),
        ("unilm", {"layout": "causal"}, "of the layout unilm or simbert for unilm, f"),
        (
            "mlm",
            {"vocabulary": {"size": 9, "sha256": "0"}},
            "found another one, of 9",
        ),
    ):
        shutil.copytree(files / "data", tmp_path / "data", dirs_exist_ok=True)
        (tmp_path / "data" / "dataset.json").write_text(json.dumps(facts | changes))
        words = ("--objective", objective)
        data = tmp_path / "data" / named if named else tmp_path / "data"
        done = pretrain(files, tmp_path / "out", *words, data=data)
        assert message in str(done.exception)


@pytest.mark.parametrize("option", ["--data", "--eval-data"])
def test_says_where_an_instance_cannot_be_read(files, tmp_path, option):
    """Files one by one, as where one is held out: their lengths are not known."""
    long = {"input_ids": [2, *[9] * 28, 3], "segment_ids": [0] * 30}
    long |= {"token_boundary": [1] * 30, "next_sentence_labels": [0]}
    short = {key: values[:24] for key, values in long.items()}
    write_records(tmp_path / "long.tfrecord", [short] * 7 + [long] + [short] * 8)
    damaged = bytearray((tmp_path / "long.tfrecord").read_bytes())
    damaged[600] ^= 1
    (tmp_path / "damaged.tfrecord").write_bytes(damaged)
    for file, message in (
        ("long.tfrecord", "record 7: expected 2 to 24 tokens, found 30"),
        ("damaged.tfrecord", "record 3: damaged"),
    ):
        words = ("--steps", 12, option, tmp_path / file)
        done = pretrain(files, tmp_path / file[:4], *words)
        assert message in str(done.exception), done.exception
        assert file in str(done.exception)
        assert type(done.exception).__name__ == "DataError"
