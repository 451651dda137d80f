"""Reword texts: words, substitutes, what is drawn."""

import itertools

import keras
import numpy as np
import pytest

import kerasplm as plm
from kerasplm.augmentation.languages import Chinese, English, language_of, outside
from kerasplm.augmentation.substitutes import MaskedWords
from kerasplm.augmentation.vectors import WordVectors
from kerasplm.errors import ConfigError, DataError
from tests.augmenting import augmenter, encoder, log_shares, model, tokenizer, vocab

TEXTS = [
    "房间很干净，服务员也热情。",
    "小明昨天去北京大学看画展，他觉得很精彩。",
    "手机用了两天就坏了。",
    "老师认真，同学快乐，音乐好听，电影精彩，酒店明亮，房间宽敞。",
]
SENTENCE = "The old museum shows paintings to many happy visitors."


def made(**changes):
    return plm.ContextualAugmenter(model(), tokenizer(), **changes)


def words_of(text, language):
    return [text[start:end] for start, end in language.words(text)]


def test_chinese_words():
    language = Chinese()
    words = words_of(TEXTS[1], language)
    assert "画展" in words
    assert "精彩" in words
    # A name, a place, a time, a pronoun, an adverb.
    assert not {"小明", "北京大学", "昨天", "他", "很"} & set(words)
    assert words_of("他不喜欢，没有2019年的3个iPhone！", language) == ["喜欢"]
    assert words_of("不错，无聊", language) == []  # negations are not touched


@pytest.mark.parametrize(
    ("word", "candidate", "good"),
    [
        ("干净", "整洁", True),
        ("干净", "干净", False),
        ("干净", "肮脏", False),
        ("好看", "难看", False),
        ("干净", "粗糙", False),
        ("粗糙", "精致", False),
        ("电影", "垃圾", False),
        ("干净", "宽敞", True),
        ("电影", "电视", True),
        ("好人", "坏人", False),  # opposites inside of words
        ("喜欢", "不满", False),
        ("喜欢", "讨厌", False),
        ("城市", "北京", False),
        ("东西", "什么", False),
        ("数量", "一百", False),
        ("干净", "clean", False),
    ],
)
def test_chinese_candidates(word, candidate, good):
    assert Chinese().accepts(word, candidate) is good


def test_english_words():
    language = English()
    text = "I didn't see the OLD café's 3 paintings."
    assert words_of(text, language) == ["see", "OLD", "paintings"]
    for word, candidate, good in (
        ("happy", "glad", True),
        ("happy", "Happy", False),
        ("happy", "sad", False),
        ("happy", "unhappy", False),
        ("care", "careless", False),
        ("Good", "bad", False),
        ("superb", "boring", False),
        ("film", "mess", False),
        ("good", "superb", True),
        ("see", "never", False),
        ("see", "3d", False),
    ):
        assert language.accepts(word, candidate) is good, (word, candidate)
    styled = [language.styled(word, "GLAD") for word in ("Happy", "happy", "HAPPY")]
    assert styled == ["Glad", "glad", "GLAD"]


def test_language_of_texts():
    assert language_of([SENTENCE, "用WiFi"]) == "en"
    assert language_of(["我用iPhone"]) == "zh"
    assert language_of(["", "123"]) == "en"
    assert outside([(0, 2), (2, 4), (5, 6)], [(3, 5)]) == [(0, 2), (5, 6)]


def best_words(text, word, count, language):
    """Find by trying all: mask the word alone, the original as context."""
    own = tokenizer()
    [ids] = own.tokenize(text)
    [part] = own.tokenize(word)
    start = next(n for n in range(len(ids)) if ids[n : n + len(part)] == part)
    masked = list(ids)
    masked[start : start + len(part)] = [own.mask_id] * len(part)
    shares = log_shares(model(), masked, ids)[start : start + len(part)]
    tokens = [n for n, token in enumerate(vocab()) if language.may_be_token(token)]
    every = []
    for found in itertools.product(tokens, repeat=len(part)):
        text = "".join(vocab()[n] for n in found)
        if language.accepts(word, text):
            score = sum(shares[k, n] for k, n in enumerate(found))
            every.append((-score, text))
    return {text for _, text in sorted(every)[:count]}


@pytest.mark.parametrize("word", ["干净", "热情"])
def test_substitutes_are_the_best_words_of_the_model(word):
    text = TEXTS[0]
    [places] = augmenter(mask_share=0.0, candidates=4).places([text])
    [found] = [p.words for p in places if text[p.start : p.end] == word]
    assert set(found) == best_words(text, word, 4, Chinese())
    assert len(found) == 4


def test_single_characters_and_english_words():
    text = "手机用了两天就坏了。"
    [places] = augmenter(mask_share=0.0, candidates=3).places([text])
    [found] = [p.words for p in places if text[p.start : p.end] == "坏"]
    assert set(found) == best_words(text, "坏", 3, Chinese())
    [places] = made(language="en", mask_share=0.0, candidates=3).places([SENTENCE])
    words = {SENTENCE[p.start : p.end]: set(p.words) for p in places}
    assert set(words) == {"old", "museum", "shows", "paintings", "happy", "visitors"}
    for word, found in words.items():
        assert found == best_words(SENTENCE, word, 3, English())


@pytest.mark.parametrize("fill", ["joint", "beam"])
@pytest.mark.parametrize("mask_share", [0.0, 0.3])
def test_batches_change_nothing(fill, mask_share):
    texts = [*TEXTS, "。".join(TEXTS), TEXTS[0]]

    def found(size, texts):
        own = augmenter(batch_size=size, fill=fill, mask_share=mask_share, candidates=5)
        return own.places(texts)

    every = found(32, texts)
    assert sum(len(p.words) for places in every for p in places) > 20
    assert found(3, texts) == every
    assert [found(1, [text])[0] for text in texts] == every


def test_what_rounding_could_change_is_asked_alone(monkeypatch):
    """With a huge margin nothing is sure: each group runs by itself."""
    own = augmenter(candidates=5)
    sizes = []
    guess = own._masked.guess

    def counted(asked, batch_size):
        sizes.append((len(asked), batch_size))
        return guess(asked, batch_size)

    own._masked.guess = counted
    counted.tokenizer, counted.room = guess.tokenizer, guess.room
    monkeypatch.setattr("kerasplm.augmentation.filling.MARGIN", 1e9)
    unsure = own.places(TEXTS)
    assert sizes[0][1] == 32
    assert set(sizes[1:]) == {(1, 1)}
    assert len(sizes) == 1 + sizes[0][0]
    monkeypatch.undo()
    assert augmenter(candidates=5).places(TEXTS) == unsure


def test_beam_fills_each_token_given_the_ones_before():
    text, word, language = TEXTS[0], "干净", Chinese()
    own, network = tokenizer(), model()
    [ids] = own.tokenize(text)
    at = text.index(word)
    masked = list(ids)
    masked[at : at + 2] = [own.mask_id] * 2
    first = log_shares(network, masked, ids)[at]
    allowed = [n for n, token in enumerate(vocab()) if language.may_be_token(token)]
    begun = [n for n in allowed if language.begins_word(vocab()[n])]
    begun = sorted(begun, key=lambda n: -first[n])[:3]
    every = []
    for n in begun:
        masked[at] = n
        second = log_shares(network, masked, ids)[at + 1]
        for m in allowed:
            if language.accepts(word, vocab()[n] + vocab()[m]):
                every.append((-first[n] - second[m], vocab()[n] + vocab()[m]))
    wanted = {text for _, text in sorted(every)[:3]}
    [places] = augmenter(fill="beam", candidates=3, mask_share=0.0).places([text])
    [found] = [p.words for p in places if text[p.start : p.end] == word]
    assert set(found) == wanted


def test_long_texts_are_seen_through_windows(monkeypatch):
    text = "".join(TEXTS * 3)
    monkeypatch.setattr("kerasplm.augmentation.filling.MARGIN", 0.0)
    own = made(max_length=33, candidates=5)
    asked = []
    guess = own._masked.guess.__class__.__call__
    monkeypatch.setattr(
        own._masked.guess.__class__,
        "__call__",
        lambda self, x, size: asked.extend(x) or guess(self, x, size),
    )
    [places] = own.places([text])
    assert {len(piece.ids) for piece in asked} <= set(range(1, 16))
    covered = sum(len(piece.places) for piece in asked)
    assert covered == sum(p.end - p.start for p in places)
    assert sum(bool(p.words) for p in places) > 10


def test_masks_stay_below_their_share():
    own = augmenter(mask_share=0.2)._masked
    for text in TEXTS:
        spans = own.language.words(text)
        groups = own._groups(0, text, spans)
        assert sorted(word.number for x in groups for word in x.words) == list(
            range(len(spans))
        )
        for group in groups:
            masks = sum(word.end - word.start for word in group.words)
            longest = max(word.end - word.start for word in group.words)
            assert masks <= 0.2 * len(group.ids) + longest
        alone = augmenter(mask_share=0.0)._masked._groups(0, text, spans)
        assert [len(group.words) for group in alone] == [1] * len(spans)


def test_one_segment_models_see_the_masked_text():
    network = plm.PretrainedModel(encoder(type_vocab_size=1), ["mlm"])
    own = plm.ContextualAugmenter(network, tokenizer(), candidates=5)
    assert not own._masked.guess.paired
    assert own._masked.guess.room == 126
    assert any(place.words for place in own.places(TEXTS)[0])


def test_equal_texts_are_asked_once(monkeypatch):
    own = augmenter()
    counts = []
    guess = own._masked.guess.__class__.__call__
    monkeypatch.setattr(
        own._masked.guess.__class__,
        "__call__",
        lambda self, x, size: counts.append(len(x)) or guess(self, x, size),
    )
    first = own.places([TEXTS[0]])
    before = sum(counts)
    assert before
    assert own.places([TEXTS[0], TEXTS[0]]) == first * 2
    assert sum(counts) == before
    fixed = own.places([TEXTS[0]], [[(0, 2)]])
    assert sum(counts) > before
    assert [p.start for p in fixed[0]] == [p.start for p in first[0]][1:]


def test_wordings():
    own = augmenter(probability=0.5)
    found = own(TEXTS, copies=8, seed=3)
    assert found == own(TEXTS, copies=8, seed=3)
    assert found != own(TEXTS, copies=8, seed=4)
    for text, others, places in zip(TEXTS, found, own.places(TEXTS), strict=True):
        assert 0 < len(others) == len(set(others)) <= 8
        assert text not in others
        pattern = [
            (place.start, {text[place.start : place.end], *place.words})
            for place in places
        ]
        for other in others:
            at = 0
            for start, words in pattern:
                assert other[at:start] == text[at:start]
                at = start + len(next(iter(words)))
                assert other[start:at] in words
            assert other[at:] == text[at:]
    never = augmenter(probability=0.0)
    assert never(TEXTS[0], copies=5) == [[]]
    every = augmenter(probability=1.0, candidates=1)
    assert all(len(others) == 1 for others in every(TEXTS, copies=5))


def test_replacements_are_uniform():
    own = augmenter(probability=0.4, candidates=4, mask_share=0.0)
    text = TEXTS[0]
    [places] = own.places([text])
    place = next(p for p in places if len(p.words) == 4)
    drawn = own.draws(text, [place], 20_000, np.random.default_rng(0))
    counts = dict.fromkeys(place.words, 0)
    kept = 0
    for other in drawn:
        word = other[place.start : place.end]
        kept += other == text
        if other != text:
            counts[word] += 1
    assert abs(kept / 20_000 - 0.6) < 0.02
    assert all(abs(n / 20_000 - 0.1) < 0.01 for n in counts.values())


def test_word_vectors_help():
    vectors = WordVectors(
        ["干净", "整洁", "客厅", "paintings", "pictures"],
        [[1, 0], [1, 0.1], [0, 1], [1, 1], [1, 0.9]],
    )
    text = "房间干净"
    [places] = made(vectors=vectors, candidates=1).places([text])
    [words] = [p.words for p in places if p.start == 2]
    assert "整洁" in words
    assert len(words) <= 2
    # In English they speak for words of several tokens only.
    own = made(language="en", vectors=vectors, candidates=1)
    shorter = [token for token in vocab() if token != "paintings"]
    network = plm.PretrainedModel(encoder(vocab_size=len(shorter)), ["mlm"])
    several = plm.ContextualAugmenter(
        network,
        plm.PythonTokenizer([*shorter[:-1], "paint"]),
        language="en",
        vectors=vectors,
        candidates=1,
    )
    for one, wanted in ((own, 0), (several, 1)):
        [places] = one.places(["Paintings!"])
        assert [list(p.words) == ["Pictures"] for p in places][0] >= wanted
    assert several("Paintings!", copies=9)[0] == ["Pictures!"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": 0}, "candidates must be positive"),
        ({"probability": 1.5}, "probability must be in"),
        ({"mask_share": -1}, "mask_share must be in"),
        ({"batch_size": 0}, "batch_size must be positive"),
        ({"fill": "x"}, "fill must be one of joint, beam"),
        ({"language": "xx"}, "language must be one of auto, zh, en"),
        ({"language": "auto"}, "needs texts"),
        ({"max_length": 4}, "max_length must be at least 5"),
        ({"max_length": 999}, "the model has 128 positions"),
    ],
)
def test_bad_choices(changes, message):
    with pytest.raises(ConfigError, match=message):
        made(**changes)


def test_models_without_an_mlm_head_are_refused():
    with pytest.raises(ConfigError, match="found a Encoder with heads: none"):
        plm.ContextualAugmenter(encoder(), tokenizer())
    network = plm.PretrainedModel(encoder(), ["rtd"])
    with pytest.raises(ConfigError, match="part='generator'"):
        plm.ContextualAugmenter(network, tokenizer())
    few = plm.PythonTokenizer(
        [f"[unused{n}]" for n in range(len(vocab()) - 5)] + [*vocab()[:5]]
    )
    with pytest.raises(ConfigError, match="0 that may stand for a word"):
        plm.ContextualAugmenter(model(), few)
    with pytest.raises(ConfigError, match="copies must be positive"):
        augmenter()(TEXTS, copies=0)


def test_every_architecture():
    for changes in (
        {"embedding_size": 8},
        {"position": "nezha"},
    ):
        network = plm.PretrainedModel(encoder(**changes), ["mlm"])
        found = plm.ContextualAugmenter(network, tokenizer())(TEXTS[0], copies=3)
        assert found[0]
    assert keras.backend.floatx() == "float32"


def test_jieba_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jieba", None)
    with pytest.raises(DataError, match=r"pip install 'kerasplm\[jieba\]'"):
        made()
    assert isinstance(made(language="en")._masked, MaskedWords)
