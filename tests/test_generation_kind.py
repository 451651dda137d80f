"""Sources and targets as features, the loss on the target part, groups, decoding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasplm as plm
from kerasplm.errors import CheckpointError, ConfigError, DataError
from kerasplm.task_models import TextGenerator
from kerasplm.task_models.generation import token_loss
from kerasplm.tasks import TASKS
from kerasplm.tasks.judging import Judge
from kerasplm.tasks.kinds import KINDS
from kerasplm.tasks.kinds.generation_targets import TextTargets, first_features
from kerasplm.tasks.kinds.writing import GeneratedText, surest
from kerasplm.tasks.rows import SourceRow
from tests.golden import COMPACT, LOSS
from tests.titles import PAIRS, VOCAB, encoder, rows, seq2seq, tokenizer

TASK = TASKS["csl_title"]
KIND = KINDS["generation"]
CLS, SEP = VOCAB.index("[CLS]"), VOCAB.index("[SEP]")


def settings(**changes):
    return TASK.settings(**{"max_length": 24, "max_answer_length": 8, **changes})


def ids(text):
    return [VOCAB.index(char) if char in VOCAB else 1 for char in text]


def features_of(some, **changes):
    return TASK.features(some, tokenizer(), settings(**changes))


def test_source_and_target_are_one_sequence():
    features = features_of(rows(3))
    inputs, targets = features.batch(np.array([0, 2]))
    for n, (text, title) in enumerate((PAIRS[0], PAIRS[2])):
        source = [CLS, *ids(text), SEP]
        target = [*ids(title), SEP]
        length = len(source) + len(target)
        assert inputs["token_ids"][n, :length].tolist() == source + target
        segments = [0] * len(source) + [1] * len(target)
        assert inputs["segment_ids"][n, :length].tolist() == segments
        assert inputs["padding_mask"][n].sum() == length
        real = targets["target_mask"][n]
        assert targets["target_ids"][n][real].tolist() == target
        places = targets["target_positions"][n]
        assert inputs["token_ids"][n][places[real]].tolist() == target
        assert places.min() >= 1


def test_the_source_is_cut_before_the_target():
    features = features_of(rows(1), max_length=8, max_answer_length=3)
    text, title = PAIRS[0]
    assert features.token_ids.tolist() == [
        *(CLS, *ids(text)[:6], SEP),
        *(*ids(title)[:2], SEP),
    ]
    row = SourceRow(0, ("昨天夜里北方下了大雪", "山里的故事"), ("大雪",))
    both = features_of([row], max_length=12, max_query_length=4)
    expected = [CLS, *ids("昨天夜里北"), SEP, *ids("山里的故"), SEP, *ids("大雪"), SEP]
    assert both.token_ids.tolist() == expected
    assert both.segment_ids.tolist() == [0] * 12 + [1] * 3
    with pytest.raises(ConfigError, match="row 0: max_length=8 leaves no room"):
        features_of([row], max_length=8)


def test_rows_without_targets_have_sources_only():
    features = features_of([SourceRow(0, (PAIRS[0][0],))])
    assert features.targets is None
    assert not features.segment_ids.any()


def test_targets_of_parts():
    row = SourceRow("a", ("山里的故事",), ("大雪\n北方",))
    features = features_of([row], parts=2)
    assert features.token_ids[-6:].tolist() == [*ids("大雪"), SEP, *ids("北方"), SEP]
    with pytest.raises(DataError, match="row 'a': expected a target of 3 lines"):
        features_of([row], parts=3)


def test_first_features_are_those_of_the_first_rows():
    found, expected = first_features(features_of(rows()), 3), features_of(rows(3))
    for name in ("token_ids", "segment_ids", "starts", "owner"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    one, other = (x.batch(np.arange(3)) for x in (found, expected))
    keras.tree.map_structure(np.testing.assert_array_equal, one, other)
    watched, some = KIND.watched(rows(), features_of(rows()), settings(dev_rows=3))
    assert (len(watched), len(some)) == (3, 3)
    assert KIND.watched(rows(), found, settings())[1] is found


@pytest.mark.parametrize("body", [encoder, seq2seq])
def test_loss_is_that_of_the_next_words(body):
    """Each row alone, without padding, by the plain network and plain numpy."""
    model = TextGenerator(body())
    features = features_of(rows())
    inputs, targets = features.batch(np.arange(len(PAIRS)))
    loss = float(model.objective(inputs, targets, model(inputs)))
    total = count = 0
    for text, title in PAIRS:
        source, target = [CLS, *ids(text), SEP], [*ids(title), SEP]
        if body is seq2seq:
            batch = {"token_ids": [source], "target_ids": [[CLS, *target[:-1]]]}
            logits = model.network({k: np.array(x) for k, x in batch.items()})
            logits = np.asarray(logits["logits"])[0]
        else:
            # The last word predicts nothing, and the last of the source the first.
            sequence = np.array([source + target[:-1]])
            segments = np.array([[0] * len(source) + [1] * (len(target) - 1)])
            batch = {"token_ids": sequence, "segment_ids": segments}
            logits = np.asarray(model.network(batch)["mlm_logits"])[0]
            logits = logits[len(source) - 1 :]
        logits = logits.astype("float64")
        norm = np.log(np.exp(logits).sum(-1))
        total += (norm - logits[np.arange(len(target)), target]).sum()
        count += len(target)
    assert loss == pytest.approx(total / count, abs=1e-5)


def test_loss_is_that_of_the_original_code():
    """T5-PEGASUS finetune.py, and simbert.py's part for generation."""
    with np.load(COMPACT / "t5_pegasus" / "io.npz") as io:
        source, target = io["encoder_token_ids"], io["decoder_token_ids"]
        expected = {"t5_pegasus": float(io["finetune_loss"])}
    with np.load(COMPACT / "simbert" / "io.npz") as io:
        pairs, segments = io["pair_token_ids"], io["pair_segment_ids"]
        # Of these rows, from the logits of the original, which are not all in this
        # copy; that of all its rows is 8.4207830.
        expected["simbert"] = 9.450107
    sequences = {
        "t5_pegasus": [
            (a[a > 0], b[b > 0][1:]) for a, b in zip(source, target, strict=True)
        ],
        "simbert": [
            (a[(s == 0) & (a > 0)], a[s == 1])
            for a, s in zip(pairs, segments, strict=True)
        ],
    }
    for name, some in sequences.items():
        model = plm.load(COMPACT / name, heads="generation", **UNILM.get(name, {}))
        inputs, targets = told(some)
        loss = float(model.objective(inputs, targets, model(inputs)))
        assert loss == pytest.approx(expected[name], abs=LOSS)


UNILM = {"simbert": {"attention": "unilm"}}


def told(pairs):
    sources, targets = zip(*pairs, strict=True)
    found = TextTargets.of([list(t) for t in targets], [len(s) for s in sources])
    told_ = found.batch(np.arange(len(pairs)), 0, np.random.default_rng(0))
    width = max(len(s) + len(t) for s, t in pairs)
    inputs = {
        n: np.zeros((len(pairs), width), "int32") for n in ("token_ids", "m", "s")
    }
    for n, (s, t) in enumerate(pairs):
        inputs["token_ids"][n, : len(s) + len(t)] = [*s, *t]
        inputs["m"][n, : len(s) + len(t)] = 1
        inputs["s"][n, len(s) : len(s) + len(t)] = 1
    inputs = {
        "token_ids": inputs["token_ids"],
        "padding_mask": inputs["m"] > 0,
        "segment_ids": inputs["s"],
    }
    return inputs | told_, told_


def test_source_and_padding_have_no_loss():
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    right, mask = [[1, 2, 0], [4, 0, 0]], [[True, True, False], [True, False, False]]
    loss = float(token_loss(logits, right, mask))
    other = logits.copy()
    other[0, 2] = other[1, 1:] = 100.0
    assert float(token_loss(other, right, mask)) == loss
    assert float(token_loss(logits, right, np.zeros((2, 3), bool))) == 0.0
    half = tf.cast(logits, tf.float16)
    assert token_loss(half, right, mask).dtype == tf.float32


def test_which_networks_write():
    whole = plm.PretrainedModel(encoder(), ["mlm", "sentence_pair"])
    model = TASK.model(whole, settings=settings())
    inputs = features_of(rows(2)).inputs(np.arange(2))
    found = np.asarray(model.network(inputs)["mlm_logits"])
    np.testing.assert_array_equal(found, np.asarray(whole(inputs)["mlm_logits"]))
    names = {w.path for w in model.trainable_variables}
    assert not any("sentence_pair" in name or "pooler" in name for name in names)
    with pytest.raises(ConfigError, match="found heads: sentence_pair"):
        TextGenerator(plm.PretrainedModel(encoder(), ["sentence_pair"]))
    for fields in ({"attention": "bidirectional"}, {"type_vocab_size": 1}):
        with pytest.raises(ConfigError, match="needs attention='unilm' and two segm"):
            TextGenerator(encoder(**fields))
    with pytest.raises(ConfigError, match="expected an Encoder or PretrainedModel or"):
        TASK.model(model)
    with pytest.raises(ValueError, match="found no target_ids"):
        model(inputs)
    with pytest.raises(CheckpointError, match="no head for generation"):
        plm.load(COMPACT / "electra_small", heads="generation", attention="unilm")


def test_training_methods():
    """R-Drop and FGM take the targets into account, not the padding behind them."""
    features = features_of(rows(3))
    batch = features.batch(np.arange(3))
    padded = keras.tree.map_structure(lambda x: np.pad(x, ((0, 0), (0, 2))), batch)
    padded[0]["target_positions"][:, -2:] = padded[1]["target_positions"][:, -2:] = 1
    for method in (plm.RDrop(), plm.FGM()):
        losses = []
        for inputs, targets in (batch, padded):
            model = TextGenerator(encoder())
            model.compile(keras.optimizers.SGD(0.1), method=method, run_eagerly=True)
            losses.append(model.train_on_batch(inputs, targets))
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    model = TextGenerator(seq2seq())
    model.compile("sgd", method=plm.FGM(), run_eagerly=True)
    with pytest.raises(ConfigError, match=r"expected a model with encoder.embeddings"):
        model.train_on_batch(*batch)


def test_what_is_written_is_what_generate_writes():
    for body in (encoder, seq2seq):
        model = TASK.model(body(), settings=settings())
        some = [SourceRow(n, (text,)) for n, (text, _) in enumerate(PAIRS)]
        asked = settings(beams=2, batch_size=3)
        judge = Judge(TASK, model, asked, tokenizer())
        found, loss = judge.predict(some, features_of(some))
        assert loss is None
        expected = plm.generate(
            model.network,
            tokenizer(),
            [text for text, _ in PAIRS],
            beams=2,
            max_length=8,
            max_source_length=24,
        )
        assert [one.text for one in found] == expected
    with pytest.raises(ConfigError, match="pass tokenizer="):
        Judge(TASK, model, asked).predict(some, features_of(some))


def test_extracted_answers_stand_in_the_passage():
    task = TASKS["cips_sogou_qa"]
    some = [SourceRow(0, (text, "什么")) for text, _ in PAIRS]
    chosen = task.settings(max_length=30, max_answer_length=6, beams=2)
    model = task.model(encoder(), settings=chosen)
    features = task.features(some, tokenizer(), chosen)
    found, _ = Judge(task, model, chosen, tokenizer()).predict(some, features)
    for row, one in zip(some, found, strict=True):
        assert one.text.replace(" ", "") in row.texts[0]


def test_passages_vote():
    sure, unsure = GeneratedText("北京", -0.1), GeneratedText("上海", -2.0)
    assert surest([unsure, sure, unsure]) == sure
    assert surest([unsure, GeneratedText("", -0.01)]) == unsure
    assert surest([GeneratedText("", -1.0)] * 2).text == ""
    asked = [
        SourceRow(0, ("a", "b"), ("北京",), ("北京", "北京市"), group="q"),
        SourceRow(1, ("c", "b"), ("",), ("北京", "北京市"), group="q"),
        SourceRow(2, ("d", "e"), ("",), ("",), group="r"),
    ]
    found = KIND.predictions(TASK, asked, None, [sure, unsure, unsure], settings())
    assert [one.text for one in found] == ["北京", "北京", "上海"]
    scores = KIND.score(TASK, asked, found)
    assert (scores["exact"], scores["average"], scores["examples"]) == (0.5, 0.5, 2)
    assert KIND.wrong(TASK, asked, found)[0] == 0
    empty = KIND.score(TASK, asked[2:], [GeneratedText("", 0.0)])
    assert (empty["exact"], empty["f1"], empty["rouge_l"]) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"beams": 0}, "beams must be a whole number >= 1"),
        ({"beams": 2, "top_k": 5}, "beams and samples exclude each other"),
        ({"top_p": 1.5}, "top_p must be a number"),
        ({"max_answer_length": 1}, "max_answer_length must be at least 2"),
        ({"extract": True, "parts": 2}, "extract gives one part of the source"),
        ({"dev_rows": 0}, "dev_rows must be at least 1"),
        ({"min_answer_length": 9}, "min_length must not be more than max_length"),
    ],
)
def test_options_out_of_range(choice, words):
    with pytest.raises(ConfigError, match=words):
        settings(**choice)
