"""A small training file for each format, with texts of our own."""

import json

PAIR = ("房间很干净，服务员也热情。", "房间干净吗？")
OTHER = ("手机用了两天就坏了。", "电池很耐用。")
TEXT = "小明昨天去北京大学看画展，他觉得很精彩。"


def lines(*items):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items)


def document(data):
    return json.dumps(data, ensure_ascii=False)


def cells(*rows, separator="\t"):
    return "".join(separator.join(row) + "\n" for row in rows)


def _pairs(one, other):
    return cells((*PAIR, one), (*OTHER, other))


def _tagged(types, separator):
    place, length = TEXT.index("北京大学"), 4
    tags = ["O"] * len(TEXT)
    tags[place : place + length] = [f"B-{types}"] + [f"I-{types}"] * (length - 1)
    sentence = "".join(
        f"{char}{separator}{tag}\n" for char, tag in zip(TEXT, tags, strict=True)
    )
    return sentence + "\n" + f"我{separator}O\n们{separator}O\n"


def _asked(context, *, extra=None, name="context"):
    start = context.index("北京大学") if "北京" in context else context.index("Paris")
    answer = "北京大学" if "北京" in context else "Paris"
    chinese, english = "小明昨天在哪里看画展？", "Where is the old museum?"
    return {
        name: context,
        "qas": [
            {
                "id": f"Q{n}",
                "question": chinese if "北京" in context else english,
                "answers": [{"text": answer, "answer_start": start}],
                **(extra or {}),
            }
            for n in range(2)
        ],
    }


SQUAD = {
    "version": "v1",
    "data": [{"title": "画展", "paragraphs": [_asked(TEXT)]}],
}
ENGLISH = "The old museum in Paris shows bright paintings to many happy visitors."
MSRA = "小明/nr 昨天/o 去/o 北京大学/nt 看/o 画展/o 。/o\n"
_WSC = {
    "target": {
        "span1_text": "小明",
        "span1_index": 0,
        "span2_text": "他",
        "span2_index": TEXT.index("他"),
    },
    "text": TEXT,
    "label": "true",
}
_IDIOM = {
    "candidates": ["画蛇添足", "守株待兔"],
    "content": ["老师昨天#idiom000001#，同学觉得精彩。", "电影#idiom000002#。"],
}
_C3 = [
    ["女：昨天的电影精彩吗？", "男：电影很精彩，服务员也热情。"],
    [
        {
            "question": "男的觉得电影怎么样？",
            "choice": ["精彩", "无聊"],
            "answer": "精彩",
        }
    ],
    "1",
]
_TRIPLE = {
    "text": "《画展》的作者小明昨天在酒店写了这本精彩的小说。",
    "spo_list": [{"subject": "画展", "predicate": "作者", "object": "小明"}],
}

# Task to the names and the texts of its files.
FILES = {
    **{name: {"train.tsv": _pairs("1", "0")} for name in ("lcqmc", "bq", "afqmc")},
    "sentence_pair": {"train_0827.tsv": cells(("1", *PAIR), ("0", *OTHER))},
    "xnli": {"train.tsv": _pairs("neutral", "entailment")},
    "cmnli": {
        "train.json": lines(
            {"sentence1": PAIR[0], "sentence2": PAIR[1], "label": "neutral", "x": 1},
            {"sentence1": OTHER[0], "sentence2": OTHER[1], "label": "-"},
        )
    },
    "ocnli": {
        "train.json": lines(
            {"sentence1": PAIR[0], "sentence2": PAIR[1], "label": "entailment"}
        )
    },
    "chnsenticorp": {
        "train.tsv": "label\ttext_a\n" + cells(("1", PAIR[0]), ("0", OTHER[0]))
    },
    "sentiment": {"sentiment.train.data": cells((PAIR[0], "1"), (OTHER[0], "0"))},
    "tnews": {
        "train.json": lines(
            {"label": "102", "label_desc": "x", "sentence": TEXT, "keywords": "画展"}
        )
    },
    "iflytek": {"train.json": lines({"label": "3", "sentence": PAIR[0]})},
    "csl": {
        "train.json": lines(
            {"id": 1, "abst": PAIR[0], "keyword": ["房间", "服务员"], "label": "1"}
        )
    },
    "cluewsc2020": {"train.json": lines(_WSC)},
    "copa": {
        "train.json": lines(
            {
                "premise": OTHER[0],
                "choice0": "手机质量很差。",
                "choice1": "电池很贵。",
                "question": "cause",
                "label": 0,
                "idx": 7,
            }
        )
    },
    "thucnews": {
        "train.txt": cells(("3", "id", "x", PAIR[0]), separator="_!_"),
    },
    "inews": {
        "train.txt": cells(("1", "id", "精彩的画展", PAIR[0]), separator="_!_"),
    },
    "jd_comments": {"jd_train.csv": f'5,"画展, 精彩","{PAIR[0]}"\n'},
    "stsb": {
        "train.tsv": cells(("sentence1", "sentence2", "score"), (*PAIR, "3.25")),
    },
    "cmrc2018": {
        "train.json": document(
            [{**_asked(TEXT, name="context_text"), "context_id": "a", "title": "x"}]
        )
    },
    "drcd": {"train.json": document(SQUAD)},
    "squad_v1": {"train-v1.1.json": document(SQUAD)},
    "squad_v2": {
        "train-v2.0.json": document(
            {
                "data": [
                    {
                        "title": "x",
                        "paragraphs": [_asked(ENGLISH, extra={"is_impossible": False})],
                    }
                ]
            }
        )
    },
    "c3": {"d-train.json": document([_C3]), "m-train.json": document([_C3])},
    "chid": {
        "train.json": lines(_IDIOM),
        "train_answer.json": document({"#idiom000001#": 1, "#idiom000002#": 0}),
    },
    "cluener": {
        "train.json": lines(
            {"text": TEXT, "label": {"organization": {"北京大学": [[5, 8]]}}}
        )
    },
    "msra_ner": {"train1.txt": MSRA},
    "peoples_daily": {"train.txt": _tagged("ORG", " ")},
    "weibo_ner": {
        "weiboNER.conll.train": _tagged("ORG.NAM", "0\t"),
    },
    "resume_ner": {"train.char.bmes": _tagged("ORG", " ")},
    "lic2019": {
        "train_data.json": lines(_TRIPLE),
        "all_50_schemas": lines({"predicate": "作者"}),
    },
}
