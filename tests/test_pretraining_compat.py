"""The parts of the original data creators, by cases computed by hand."""

import doctest
from types import SimpleNamespace

import pytest

from kerasplm.errors import DataError, VocabError
from kerasplm.pretraining import masking as masks
from kerasplm.pretraining import words
from kerasplm.pretraining.compat import (
    documents,
    electra,
    electra_zh,
    masking,
    ngrams,
    roberta_zh,
    segment,
)
from kerasplm.pretraining.compat import pairs as pairs_module
from kerasplm.pretraining.compat.documents import (
    Instance,
    features,
    lines,
    read_documents,
    round_robin,
)
from kerasplm.pretraining.compat.masking import candidates, mask, number_to_predict
from kerasplm.pretraining.compat.pairs import (
    Pair,
    from_there,
    other_document,
    pairs,
    truncate,
)
from kerasplm.pretraining.compat.roberta_zh import chunks
from kerasplm.python_tokenizer import PythonTokenizer
from tests.draws import Draws

VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"天气很好去公园", "##气"]
TOKENIZER = PythonTokenizer(VOCAB)


@pytest.fixture
def write(tmp_path):
    def write(data: str | bytes, name: str = "text.txt"):
        file = tmp_path / name
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        return file

    return write


def words_of_jieba(monkeypatch, *words):
    """Let jieba find these words, and remember what it is asked."""
    asked = []
    fake = SimpleNamespace(lcut=lambda text: asked.append(text) or list(words))
    monkeypatch.setattr(segment, "import_jieba", lambda: fake)
    return asked


# Documents


def test_only_a_blank_line_ends_a_document(write):
    first = write("好天\n\n去公园\n", "1.txt")
    second = write("\ufeff\n天气\n \n\n很好", "2.txt")
    found = read_documents([first, second], TOKENIZER.tokens, Draws(None))
    # The second file goes on with the document of the first: a byte order mark is
    # no token, and no blank line either.
    assert found == [[["好", "天"]], [["去", "公", "园"], ["天", "气"]], [["很", "好"]]]


def test_documents_are_shuffled(write):
    file = write("天\n\n气\n\n好\n")
    found = read_documents([file], TOKENIZER.tokens, Draws([2, 0, 1]))
    assert found == [[["好"]], [["天"]], [["气"]]]


def test_lines_end_at_line_feeds_only(write):
    assert list(lines(write("天\u2028气\r\n好\x0b\x1c"))) == ["天\u2028气", "好"]


def test_clean_comes_before_blank_lines(write):
    file = write("天\n <eop> \n气<eop>\n")
    found = read_documents(
        [file], TOKENIZER.tokens, Draws(None), lambda line: line.replace("<eop>", "")
    )
    assert found == [[["天"]], [["气"]]]


def test_broken_text_is_named(write):
    file = write("天气\n好".encode() + b"\xff\n")
    with pytest.raises(DataError, match=r"text.txt: line 2: .*0xff at byte 3"):
        read_documents([file], TOKENIZER.tokens, Draws())
    with pytest.raises(DataError, match="text.txt: expected text"):
        read_documents([write("\n \n")], TOKENIZER.tokens, Draws())


def test_files_take_instances_in_turn():
    assert round_robin(list("abcde"), 2) == [list("ace"), list("bd")]


# Features


def test_features_are_padded_with_zeros():
    instance = Instance(
        ["[CLS]", "天", "[SEP]", "[MASK]", "[SEP]"], 3, [3], ["##气"], True
    )
    assert features(
        instance, TOKENIZER, max_seq_length=6, max_predictions_per_seq=2
    ) == {
        "input_ids": [2, 5, 3, 4, 3, 0],
        "input_mask": [1, 1, 1, 1, 1, 0],
        "segment_ids": [0, 0, 0, 1, 1, 0],
        "masked_lm_positions": [3, 0],
        "masked_lm_ids": [12, 0],
        "masked_lm_weights": [1.0, 0.0],
        "next_sentence_labels": [1],
    }
    with pytest.raises(DataError, match="5 values where the features hold 4"):
        features(instance, TOKENIZER, max_seq_length=4, max_predictions_per_seq=2)
    unknown = instance._replace(labels=["##ok"])
    with pytest.raises(VocabError, match="##ok"):
        features(unknown, TOKENIZER, max_seq_length=6, max_predictions_per_seq=2)


# Masks


def test_special_tokens_count_and_halves_go_to_the_even_number():
    assert [number_to_predict(n, 0.1, 20) for n in (2, 15, 25, 35, 300)] == [
        *(1, 2, 2, 4, 20)
    ]


def test_a_piece_joins_what_stands_before_it():
    tokens = ["[CLS]", "##a", "好", "[SEP]", "##b", "天", "[SEP]"]
    assert candidates(tokens, True) == [[1], [2, 4], [5]]
    assert candidates(tokens, False) == [[1], [2], [4], [5]]


TOKENS = ["[CLS]", "天", "##气", "很", "好", "ab", "##c", "[SEP]"]


def masked(rng, prob, marked=True, whole=True):
    words = ["##园", "去"]
    out = mask(
        TOKENS,
        words,
        rng,
        masked_lm_prob=prob,
        max_predictions_per_seq=20,
        do_whole_word_mask=whole,
        marked=marked,
    )
    rng.finish()
    return out


def test_each_token_of_a_word_is_drawn_by_itself():
    # 8 * 0.5 = 4 to predict: [天, ##气] and [ab, ##c].
    rng = Draws([0, 3, 1, 2], 0.8, 0.4, 0.79, 0.9, 0.5, 0, 0.85, 0.49)
    out, positions, labels = masked(rng, 0.5)
    # Kept without its mark; masked; random with a mark that stays; kept: a Latin
    # piece has no mark to lose.
    assert out == ["[CLS]", "天", "[MASK]", "很", "好", "##园", "##c", "[SEP]"]
    assert positions == [1, 2, 5, 6]
    assert labels == ["天", "##气", "ab", "##c"]


def test_marks_leave_the_input_and_stay_in_labels():
    rng = Draws([2, 0, 1, 3], 0.1, 0.81, 0.1, 0.95, 0.1)
    out, positions, labels = masked(rng, 0.4)  # round(3.2) = 3
    assert out == ["[CLS]", "天", "气", "很", "[MASK]", "ab", "##c", "[SEP]"]
    assert (positions, labels) == ([1, 2, 4], ["天", "##气", "好"])
    rng = Draws([1, 0, 2, 3], 0.1)
    out, positions, labels = masked(rng, 0.1, marked=False)
    assert out == ["[CLS]", "天", "##气", "[MASK]", *TOKENS[4:]]


def test_a_word_that_is_too_long_is_passed_over():
    rng = Draws([0, 1, 3, 2], 0.1)  # one to predict, the first word has two
    assert masked(rng, 0.1)[1:] == ([3], ["很"])
    rng = Draws([1, 0, 2, 3, 4, 5], 0.1)  # by token, the mark is no matter
    assert masked(rng, 0.1, whole=False)[1:] == ([2], ["##气"])


# Words of jieba


def test_words_are_a_set_and_not_places(monkeypatch):
    asked = words_of_jieba(monkeypatch, "天气", "很", "好天")
    found = segment.get_new_segment(list("好天气很好天"))
    assert asked == ["好天气很好天"]
    # 好天 stands first, so 天气 is not found where jieba found it.
    assert found == ["好", "##天", "气", "很", "好", "##天"]


def test_words_of_four_fall_apart(monkeypatch):
    words_of_jieba(monkeypatch, "天气很好", "天气", "公园去")
    found = segment.get_new_segment(list("天气很好公园去"))
    assert found == ["天", "##气", "很", "好", "公", "##园", "##去"]


def test_latin_tokens_are_joined_with_their_marks(monkeypatch):
    asked = words_of_jieba(monkeypatch, "去ok", "ab", "t恤")
    found = segment.get_new_segment(["去", "ok", "a", "##b", "t", "恤", "[UNK]"])
    assert asked == ["去oka##bt恤[UNK]"]
    # A word must begin with a Chinese character; what follows may be anything.
    assert found == ["去", "##ok", "a", "##b", "t", "恤", "[UNK]"]


def test_the_last_characters_are_not_read_past(monkeypatch):
    words_of_jieba(monkeypatch, "好")
    assert segment.get_new_segment(["很", "好"]) == ["很", "好"]


# Texts of roberta_zh


def test_texts_are_filled_with_whole_sentences():
    a, b, c = ["a"] * 3, ["b"] * 4, ["c"] * 5
    # Room for 8: a + b fit, c starts again, 5 is more than half.
    assert chunks([a, b, c], 10) == [a + b, c]
    # 4 is not more than half of 8; 8 tokens are too many for a sentence.
    assert chunks([a + c, c, b], 10) == [c]
    assert chunks([["a"] * 7, ["b"]], 10) == [["a"] * 7 + ["b"]]
    assert chunks([b], 10) == []


# Pairs


def test_the_longer_segment_loses_a_token_at_a_random_end():
    rng = Draws(0.49, 0.5, 0.1)
    found = truncate(list("abc"), list("defg"), 4, rng)
    # The second is longer, then both are equal and it is shortened again, then the
    # first is longer.
    assert found == (list("bc"), list("ef"))
    rng.finish()


def test_another_document_is_drawn_ten_times():
    rng = Draws(1, 1, 0)
    assert other_document(["a", "b", "c"], 1, rng) == "a"
    rng = Draws(*[0] * 10)
    assert other_document(["a"], 0, rng) == "a"
    rng.finish()


def test_a_random_part_ends_when_it_has_enough_tokens():
    other = [list("ab"), list("cd"), list("e")]
    assert from_there(other, 0, 4) == list("abcd")
    assert from_there(other, 1, 9) == list("cde")
    assert from_there(other, 1, 0) == list("cd")


def test_unused_sentences_go_back():
    document = [list("ab"), list("c"), list("de")]
    seen = []

    def split(before, after, target):
        seen.append(["".join(sum(part, [])) for part in (before, after)])
        return Pair(["x"], ["y"], True, len(after))

    rng = Draws(1, 1)
    assert len(list(pairs(document, 3, 9, split, rng))) == 3
    assert seen == [["ab", "c"], ["c", "de"], ["de", ""]]
    rng.finish()


def test_without_a_pair_the_sentences_stay():
    document = [list("abc"), list("def"), list("g")]
    seen = []

    def split(before, after, target):
        seen.append((len(before), len(after)))
        return Pair(sum(before, []), sum(after, []), False) if after else None

    rng = Draws(1)
    made = list(pairs(document, 3, 9, split, rng))
    # abc is alone and waits for def; g is alone at the end, and lost.
    assert made == [Pair(list("abc"), list("def"), False)]
    assert seen == [(1, 0), (1, 1), (1, 0)]
    rng.finish()


# Segments of ELECTRA


def test_a_sentence_joins_the_first_segment_while_there_is_room():
    joins = electra.joins_first
    assert joins([], [], list("abcdef"), 3, Draws())
    assert joins(["a"], ["x"], ["b"], 3, Draws())
    assert not joins(["a"], [], list("bc"), 3, Draws(0.5))
    assert joins(["a"], [], list("bc"), 3, Draws(0.49))
    assert not joins(["a"], ["x"], list("bc"), 3, Draws())
    assert not joins(list("abc"), [], ["d"], 3, Draws())


def test_the_chinese_copy_asks_the_opposite():
    joins = electra_zh.joins_first
    assert joins(["a"] * 9, [], list("bc"), 3, Draws())
    assert not joins([], [], list("abc"), 3, Draws())
    assert joins([], ["x"], list("ab"), 3, Draws())
    assert joins([], ["x"], list("abc"), 3, Draws(0.4))
    assert not joins([], ["x"], list("abc"), 3, Draws(0.6))


@pytest.mark.parametrize(
    "module", [documents, masking, ngrams, pairs_module, roberta_zh, masks, words]
)
def test_examples_are_true(module):
    failed, run = doctest.testmod(module)
    assert run
    assert not failed
