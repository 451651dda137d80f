"""A tiny random masked language model that knows the characters of the test texts."""

import collections
import copy
import functools

import keras
import numpy as np

import kerasplm as plm
from kerasplm.python_tokenizer import PythonTokenizer
from tests import augmentation_files

_MORE = (
    "酒店房间干净整洁明亮宽敞客厅老板热情热心电影电视画家画面精彩精美好看手机电脑电话"
)
_MORE += "昨天今天明天上学大学小学学生先生老师同学作者作家小说读书图书认真简单快乐音乐"
ENGLISH = (
    "old new museum gallery shows gives bright light paintings pictures many happy"
)
ENGLISH += (
    " glad visitors guests quiet city house garden good bad river green great the in"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "##ings", "。", "，")


@functools.cache
def vocab():
    texts = str(augmentation_files.FILES) + _MORE
    han = sorted({char for char in texts if "\u4e00" <= char <= "\u9fff"})
    return [*SPECIAL, *han, *dict.fromkeys(ENGLISH.split())]


@functools.cache
def tokenizer():
    return PythonTokenizer(vocab())


def encoder(**changes):
    keras.utils.set_random_seed(5)
    config = {
        "vocab_size": len(vocab()),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 128,
        "initializer_range": 0.5,
    }
    return plm.Encoder(plm.Config(**config | changes))


@functools.cache
def model():
    return plm.PretrainedModel(encoder(), ["mlm", "sentence_pair"])


@functools.cache
def _traced():
    return plm.ContextualAugmenter(model(), tokenizer())


def augmenter(probability=0.4, **changes):
    """Return an augmenter on a graph that is traced once for all tests."""
    own = copy.copy(_traced())
    own._masked = copy.copy(own._masked)
    own._known = collections.OrderedDict()
    own.probability = probability
    for name, value in changes.items():
        assert hasattr(own._masked, name)
        setattr(own._masked, name, value)
    return own


def log_shares(network, ids, second):
    """Return the log probabilities of all tokens at all places of one pair."""
    own = tokenizer()
    first = [own.cls_id, *ids, own.sep_id]
    other = [*second, own.sep_id]
    segments = [0] * len(first) + [1] * len(other)
    batch = {
        "token_ids": np.array([first + other]),
        "segment_ids": np.array([segments]),
    }
    logits = np.asarray(network(batch)["mlm_logits"], "float64")[0, 1:]
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
