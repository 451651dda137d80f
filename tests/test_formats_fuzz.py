"""Whatever a file holds, a reader gives rows that can be used, or one clear error."""

import copy
import json
import random

import pytest

from kerasplm.errors import DataError
from kerasplm.tasks.formats import FORMATS

TARGET = {"span1_text": "小明", "span1_index": 0, "span2_text": "他", "span2_index": 3}
SPO = {"subject": "小明", "predicate": "饿", "object": {"@value": "他"}}
QUESTION = {
    "id": "a",
    "question": "谁？",
    "answers": [{"text": "他", "answer_start": 3}],
}
LINES = {
    "afqmc": {"sentence1": "甲", "sentence2": "乙", "label": "1", "id": 1},
    "tnews": {"sentence": "甲", "label": 100, "id": "1"},
    "xnli": {"premise": "甲", "hypo": "乙", "label": "neutral", "language": "zh"},
    "sts": {"sentence1": "甲", "sentence2": "乙", "score": 2.5},
    "csl": {"abst": "甲", "keyword": ["乙", "丙"], "label": "1", "id": 1},
    "cluewsc2020": {"text": "小明说他饿了", "target": TARGET, "label": "true"},
    "copa": {
        "premise": "甲",
        "choice0": "乙",
        "choice1": "丙",
        "question": "cause",
        "label": 0,
    },
    "chid": {
        "id": 1,
        "content": "甲#idiom#乙",
        "candidates": ["一", "二"],
        "answer": 1,
    },
    "cluener": {"text": "小明说他", "label": {"name": {"小明": [[0, 1]]}}},
    "lic2019": {"text": "小明说他饿", "spo_list": [SPO]},
}
DOCUMENTS = {
    "cmrc2018": {
        "data": [{"paragraphs": [{"context": "小明说他", "qas": [QUESTION]}]}]
    },
    "drcd": [{"context_text": "小明说他", "qas": [QUESTION]}],
    "c3": [[["甲"], [{"question": "谁", "choice": ["一", "二"], "answer": "二"}], "1"]],
}
TEXTS = {
    "weibo": "小0\tB-X\n明1\tI-X\n\n好0\tO\n",
    "tags": "小 B-X\n明 E-X\n\n好 O\n",
    "msra": "小明/nr 说/o\n好/o\n",
    "lcqmc": "text_a\ttext_b\tlabel\n甲\t乙\t1\n丙\t丁\t0\n",
    "jd": 'label,title,comment\n5,"甲",乙\n1,丙,丁\n',
    "inews": "1_!_x_!_甲_!_乙\n",
}
VALUES = [None, True, -1, 10**30, 2.5, float("nan"), "", "x", "\ud800", [], {}, [[]]]


def nodes(data):
    """Give every place of a value in nested data."""
    pairs = enumerate(data) if isinstance(data, list) else data.items()
    for key, value in pairs:
        yield data, key
        if isinstance(value, list | dict):
            yield from nodes(value)


def strings(row):
    """Give every string that a row holds."""
    if isinstance(row, str):
        yield row
    elif isinstance(row, tuple):
        for one in row:
            yield from strings(one)
    elif hasattr(row, "__slots__"):
        for name in row.__slots__:
            yield from strings(getattr(row, name))


def check(name, file, labelled=None):
    found, message = None, None
    try:
        found = FORMATS[name].read([file], (), labelled=labelled, aliases={})
    except DataError as error:
        message = str(error)
    if found is None:
        assert message.startswith(str(file))
        assert "\n" not in message
        message.encode()
        return 0
    for row in found.rows:
        for text in strings(row):
            text.encode()
    return 1


@pytest.mark.parametrize("name", [*LINES, *DOCUMENTS])
def test_wrong_values(name, tmp_path):
    base = LINES.get(name) or DOCUMENTS[name]
    file = tmp_path / "a.json"
    read = total = 0
    for place in range(len(list(nodes(base)))):
        for value in [*VALUES, KeyError]:
            data = copy.deepcopy(base)
            parent, key = list(nodes(data))[place]
            if value is KeyError:
                del parent[key]
            else:
                parent[key] = value
            file.write_text(json.dumps(data))
            for labelled in (None, True, False):
                read += check(name, file, labelled)
                total += 1
    assert 0 < read < total


@pytest.mark.parametrize("name", TEXTS)
def test_wrong_characters(name, tmp_path):
    rng = random.Random(name)
    file = tmp_path / ("a.csv" if name == "jd" else "a.txt")
    pool = '\t\n\r ,"_!/-BIES0 \u2028\x00\x0b甲'
    read = 0
    for _ in range(400):
        text = list(TEXTS[name])
        for _ in range(rng.randint(0, 3)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 1)] = rng.choices(
                pool, k=rng.randint(0, 2)
            )
        file.write_bytes("".join(text).encode())
        read += check(name, file)
    assert 0 < read < 400
