"""What data creation is measured beside does what the original does."""

import random

import numpy as np
import pytest

from benchmarks import pretraining_original
from kerasplm.pretraining import records
from kerasplm.pretraining.compat import roberta_zh
from kerasplm.python_tokenizer import PythonTokenizer

PLAIN = "我们用语言模型写诗歌，北京大学的研究生在平台上训练。"
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(PLAIN)]
VOCAB += [f"##{char}" for char in dict.fromkeys(PLAIN)] + ["ke", "##ras", "cafe", "."]


def test_the_stand_in_writes_the_records_of_the_original(tmp_path):
    """Words, masks, draws and padding: record by record those of --compat."""
    pytest.importorskip("jieba")
    rng = random.Random(0)
    text, vocab = tmp_path / "text.txt", tmp_path / "vocab.txt"
    lines = ["".join(rng.choices(PLAIN, k=rng.randrange(5, 40))) for _ in range(60)]
    lines[3:39:6] = ["", "Keras CAFÉ.", "<eop>研究\u200b生", "Ω\t训练", " ", "\u3000语"]
    lines[45] = ""
    text.write_text("\n".join(lines), encoding="utf-8")
    vocab.write_text("\n".join(VOCAB), encoding="utf-8")
    output = str(tmp_path / "made.tfrecord")
    pretraining_original.main(str(text), str(vocab), "2", output)
    tokenizer = PythonTokenizer(VOCAB)
    sizes = {
        "max_seq_length": pretraining_original.LENGTH,
        "max_predictions_per_seq": pretraining_original.PREDICTIONS,
    }
    expected = [
        roberta_zh.features(instance, tokenizer, **sizes)
        for instance in roberta_zh.instances(
            [str(text)],
            tokenizer,
            do_whole_word_mask=True,
            dupe_factor=2,
            masked_lm_prob=pretraining_original.PROBABILITY,
            **sizes,
        )
    ]
    found = list(map(records.decode, records.read(output)))
    assert len(found) == len(expected) > 6
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
