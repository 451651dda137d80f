"""Vocabularies that shrink and grow together with the rows of a model."""

import warnings

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.errors import VocabError
from kerasplm.tokenizing import save_tokenizer
from kerasplm.vocab import load_vocab
from tests.golden import COMPACT
from tests.models import VOCAB

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORD = "encoder/embeddings/word"


def value(model, path):
    return np.asarray(checkpoint.named_weights(model)[path])


# --- tokens -------------------------------------------------------------------------


def test_simplify():
    tokens = ["[UNK]", "[PAD]", "a", "##b", "的", "##的", "a的", "，", "##，", "a.", ""]
    tokens += ["##", "[x]", "が", "##が", "[PAD]"]
    new, keep = plm.simplify_vocab(tokens, first=["[PAD]", "[UNK]"])
    assert keep == [15, 0, 2, 3, 4, 7, 10, 11, 13, 14]  # the later [PAD]
    assert new == [tokens[i] for i in keep]
    with pytest.raises(
        VocabError, match=r"found \[CLS\], \[SEP\], \[MASK\], not among"
    ):
        plm.simplify_vocab(tokens)
    with pytest.raises(VocabError, match="each token once"):
        plm.simplify_vocab(tokens, first=["a", "a"])


def test_simplified_tokenizer_and_model_agree(folder):
    """The two lines of the documentation: the same ids go to both."""
    tokens = [
        *SPECIAL[::-1],
        "今",
        "天",
        "##天",
        "气",
        *map(chr, range(0x4E00, 0x4E33)),
    ]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    with pytest.warns(UserWarning, match=r"\[PAD\] is id 4, but id 0 \('\[MASK\]'\)"):
        tokenizer = plm.load_tokenizer(folder)
    new, keep = plm.simplify_vocab(tokenizer.vocab)
    small = plm.load_tokenizer(folder, keep_tokens=keep)
    encoder = plm.load(folder, keep_tokens=iter(keep))
    assert small.vocab == new == [*SPECIAL, *[t for t in tokens[5:] if t != "##天"]]
    assert small.get_config() == tokenizer.get_config()
    plm.check_vocab(small, encoder)
    text = ["今天天气", "一"]
    ours = encoder(small(text))["sequence_output"]
    theirs = plm.load(folder)(tokenizer(text))["sequence_output"]
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)
    np.testing.assert_allclose(ours[1, :3], theirs[1, :3], atol=1e-6)


def test_extended_tokenizer_and_model_agree(folder, tmp_path):
    pytest.importorskip("jieba")
    tokens = [*SPECIAL, *"今天气很好，", "ke", "##ras", "##a"]
    tokens += map(chr, range(0x4E00, 0x4E00 + 60 - len(tokens)))
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", "utf-8")
    _, keep = plm.simplify_vocab(tokens[:20])
    tokenizer = plm.load_tokenizer(folder, keep_tokens=keep)
    words = ["天气", "Keras", "天", "天气", "今天"]
    added, groups = plm.extend_vocab(tokenizer, words)
    assert added == ["天气", "Keras", "今天"]
    assert groups == [[6, 7], [11, 12], [5, 6]]
    options = {"keep_tokens": keep, "add_tokens": added}
    grown = plm.load_tokenizer(folder, lowercase=False, **options)
    model = plm.load(
        folder, heads="pretraining", keep_tokens=keep, compound_tokens=groups
    )
    plm.check_vocab(grown, model)
    word = value(model, WORD)
    for token, pieces in zip(added, groups, strict=True):
        row = word[grown.id_of(token)]
        np.testing.assert_allclose(row, word[pieces].mean(0), rtol=1e-5)
    ids = [grown.id_of(token) for token in ("今天", "很", "好", "，", "天气", "Keras")]
    assert grown.tokenize("今天很好，天气Keras") == [ids]
    # Saved and loaded again it still knows that texts are cut into words.
    plm.save_checkpoint(model, tmp_path / "new" / "bert_model.ckpt")
    save_tokenizer(grown, tmp_path / "new")
    again = plm.load_tokenizer(tmp_path / "new")
    assert again.tokenize("今天很好，天气Keras") == [ids]
    plm.check_vocab(again, plm.load(tmp_path / "new"))


@pytest.mark.parametrize("kind", [plm.Tokenizer, plm.PythonTokenizer])
def test_extend(kind):
    vocab = [*SPECIAL, "科", "##科", "学", "ke", "##ras", "ras", "##e"]
    tokenizer = kind(vocab)
    tokens = ["科学", "##RAS", "##科", "Kéras", "[SUM]", "学科", "##KE", "##eras"]
    with pytest.warns(UserWarning, match=r"2 of 7 new .* as \[SUM\], ##KE: the"):
        added, groups = plm.extend_vocab(tokenizer, tokens)
    assert added == [t for t in tokens if t != "##科"]
    assert groups == [[5, 7], [9], [8, 9], [1], [7, 5], [1], [11, 9]]
    with pytest.warns(UserWarning, match="1 of 1 new tokens have pieces"):
        assert plm.extend_vocab(tokenizer, ["学好"]) == (["学好"], [[7]])
    assert plm.extend_vocab(tokenizer, ["学", "[MASK]"]) == ([], [])


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a b"], "without white space, found 'a b'"),
        ([""], "found ''"),
        ([None], "found None"),
        ("word", "expected a list of tokens, found one str"),
        (["\u200b"], "text can hold, found '.u200b'"),
    ],
)
def test_extend_refuses(tokens, message):
    with pytest.raises(VocabError, match=f"new_tokens: .*{message}"):
        plm.extend_vocab(plm.PythonTokenizer(SPECIAL), tokens)


def test_uncased_made_cased():
    """Capital letters begin with the rows of the small ones, for all of BERT's."""
    vocab = load_vocab(COMPACT / "tokenizer" / "vocab.txt")
    known = {token: i for i, token in enumerate(vocab)}
    forms = [t.upper() for t in vocab if t.removeprefix("##").isalpha()]
    forms += [t[:1].upper() + t[1:] for t in vocab if t.isalpha()]
    added, groups = plm.extend_vocab(plm.PythonTokenizer(vocab), forms)
    assert len(added) > 5000
    assert {"Windows", "WINDOWS", "##ING"} < set(added)
    assert groups == [[known[token.lower()]] for token in added]
    cased = plm.load_tokenizer(
        COMPACT / "tokenizer" / "vocab.txt", lowercase=False, add_tokens=added
    )
    (ids,) = cased.tokenize(["Windows windows"]).to_list()
    assert ids == [cased.id_of("Windows"), known["windows"]]
    assert cased.vocab == vocab + added


def test_words_are_extended_by_words():
    """A vocabulary of words cuts new words as its texts: into words."""
    pytest.importorskip("jieba")
    folder = COMPACT / "wobert"
    tokenizer = plm.load_tokenizer(folder, in_graph=False)
    words = [t for t in tokenizer.vocab if len(t) == 2 and t.isalpha() and t > "一"]
    assert len(words) > 20
    new = [a + b for a, b in zip(words[:9], words[9:18], strict=True)]
    added, groups = plm.extend_vocab(tokenizer, new)
    assert added == new
    for token, ids in zip(added, groups, strict=True):
        assert "".join(tokenizer.vocab[i] for i in ids) == token
    assert any(len(ids) == 2 for ids in groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba cuts most of these in two
        grown = plm.load_tokenizer(folder, add_tokens=added)
    plm.check_vocab(grown, plm.load(folder, compound_tokens=groups))
    kept, keep = plm.simplify_vocab(tokenizer.vocab)
    assert not set(kept) & set(words)
    assert plm.load_tokenizer(folder, keep_tokens=keep).vocab == kept


def test_unreachable_tokens_are_told(folder):
    with pytest.warns(UserWarning, match="1 added tokens never .*such as Keras: it"):
        plm.load_tokenizer(folder, add_tokens=["Keras", "##Ras", "[NEW]", "cnn"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep_tokens": [*range(5), 60]}, "keep_tokens: .*from 0 to 59, found 60"),
        ({"keep_tokens": [*range(5), 3]}, "keep_tokens: .*each id once, found 3 again"),
        ({"keep_tokens": [0, 1, 2]}, r"without \[SEP\]"),
        ({"add_tokens": ["abc", "丁"]}, "add_tokens: .*found '丁' again"),
        ({"add_tokens": ["abc", "d", "abc"]}, "add_tokens: .*found 'abc' again"),
        ({"add_tokens": ["a b"]}, "add_tokens: .*white space"),
        ({"add_tokens": ["天气"], "in_graph": True}, "cannot run in graph"),
    ],
)
def test_tokenizer_refuses_changes(folder, options, message):
    with pytest.raises(VocabError, match=f"{folder / 'vocab.txt'}: .*{message}"):
        plm.load_tokenizer(folder, **options)


# --- fit ----------------------------------------------------------------------------


def test_fewer_tokens_than_rows(folder):
    (folder / "vocab.txt").write_text("\n".join(VOCAB[:50]) + "\n", "utf-8")
    told = "has 50 tokens, but the word table of .*bert_model.ckpt has 60 rows: 10 rows"
    with pytest.warns(UserWarning, match=told):
        tokenizer = plm.load_tokenizer(folder)
    encoder = plm.load(folder)
    told = "the vocabulary: has 50 tokens, but the word table of the model has 60 rows"
    with pytest.warns(UserWarning, match=told):
        plm.check_vocab(tokenizer, encoder)
    # New rows would follow row 59, new tokens token 49.
    with pytest.raises(
        VocabError, match=r"50 tokens and 60 rows.*keep_tokens=range\(50"
    ):
        plm.load_tokenizer(folder, add_tokens=["keras"])
    keep = range(50)
    tokenizer = plm.load_tokenizer(folder, keep_tokens=keep, add_tokens=["keras"])
    plm.check_vocab(
        tokenizer, plm.load(folder, keep_tokens=keep, compound_tokens=[[5]])
    )


def test_more_tokens_than_rows(folder):
    encoder = plm.load(folder, keep_tokens=range(10))
    told = "the vocabulary: has 60 tokens, but the .* of the model has 10 rows"
    with pytest.raises(VocabError, match=told):
        plm.check_vocab(VOCAB, encoder)
    (folder / "vocab.txt").write_text("\n".join([*VOCAB, "a"]) + "\n", "utf-8")
    with pytest.raises(VocabError, match="from 0 to 59, found 60"):
        plm.load_tokenizer(folder, keep_tokens=range(61))


def test_missing_mask_is_told(folder):
    vocab = ["[mask]" if t == "[MASK]" else t for t in VOCAB]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", "utf-8")
    with pytest.warns(UserWarning, match=r"has no \[MASK\], but .* has an MLM head"):
        tokenizer = plm.load_tokenizer(folder, family="bert")
    model = plm.load(folder, heads="pretraining", family="bert")
    with pytest.warns(UserWarning, match=r"has no \[MASK\], but the model has"):
        plm.check_vocab(tokenizer, model)
    plm.check_vocab(tokenizer, model.encoder)
    unilm = plm.load(folder, heads="pretraining", family="bert", attention="unilm")
    plm.check_vocab(tokenizer, unilm)
    # SimBERT's released vocabulary has none: that is no mistake.
    simbert = plm.load(COMPACT / "simbert", heads="pretraining")
    plm.check_vocab([*SPECIAL[:4], *map(str, range(372))], simbert)
