"""Names that the tables use: of tasks, and of our models behind published labels.

One label means different models in different projects, so each has its own table.
"""

TASKS = (
    "lcqmc",
    "bq",
    "afqmc",
    "xnli",
    "cmnli",
    "ocnli",
    "chnsenticorp",
    "tnews",
    "iflytek",
    "csl",
    "cluewsc2020",
    "copa",
    "thucnews",
    "inews",
    "jd_comments",
    "clue_diagnostics",
    "sentence_pair",
    "sentiment",
    "cmrc2018",
    "drcd",
    "squad_v1",
    "squad_v2",
    "c3",
    "chid",
    "msra_ner",
    "peoples_daily",
    "weibo_ner",
    "resume_ner",
    "cluener",
    "lic2019",
    "stsb",
    "lcqmc_retrieval",
)
"""Tasks that a recipe can be asked for."""

OTHER_TASKS = {
    "cjrc": "judicial reading comprehension (CJRC), not the final data",
    "cail2018": "CAIL2018, prediction of the accusation",
    "ccf_sentiment": "CCF sentiment of internet news, online score",
    "cips_sogou_qa": "CIPS-SogouQA, answers generated from several passages",
    "csl_title": "CSL, titles generated from abstracts",
    "lcsts": "LCSTS, titles generated from news",
    "sighan_cws": "word segmentation, SIGHAN",
    "clue_score": "CLUE, mean of the six classification tasks",
    "clue_reading_score": "CLUE, mean of CMRC2018 (EM), CHID and C3",
    "clue_average": "CLUE, mean of the ten tasks of PaddleNLP's run",
    "hfl_average": "HFL, mean of the eight numbers of the table of small models",
    "cola": "GLUE, English",
    "mnli": "GLUE, English",
    "mrpc": "GLUE, English",
    "qnli": "GLUE, English",
    "qqp": "GLUE, English",
    "rte": "GLUE, English",
    "sst2": "GLUE, English",
}
"""Tasks that only have published numbers here."""

ANY_TASK = "*"
"""Task of a row that holds for every task."""

ANY_MODEL = "*"
"""Model of a row that holds for every model: the general row of a task."""

_BERT = "bert-base-zh.google"
_WWM = {
    "BERT-wwm": "bert-wwm-base-zh.hfl",
    "BERT-wwm-ext": "bert-wwm-ext-base-zh.hfl",
    "RoBERTa-wwm-ext": "roberta-wwm-ext-base-zh.hfl",
    "RoBERTa-wwm-ext-large": "roberta-wwm-ext-large-zh.hfl",
}
_LARGE = _WWM["RoBERTa-wwm-ext-large"]
_TINY = (
    "albert-tiny-489k-zh.brightmart albert-tiny-zh.brightmart"
    " albert-tiny-google-zh.brightmart"
)

HFL = {
    "BERT-base": _BERT,
    "BERT": _BERT,
    **_WWM,
    "RBT3": "rbt3-base-zh.hfl",
    "RBTL3": "rbtl3-large-zh.hfl",
    **{
        f"ELECTRA-{size}": f"electra-{size}-zh.hfl"
        for base in ("small", "small-ex", "base", "large")
        for size in (base, f"180g-{base}")
    },
    **{
        f"legal-ELECTRA-{size}": f"electra-legal-{size}-zh.hfl"
        for size in ("small", "base", "large")
    },
}
"""Labels of ymcui/Chinese-BERT-wwm and ymcui/Chinese-ELECTRA."""

CLUE = {
    "BERT-base": _BERT,
    "BERT-wwm-ext": _WWM["BERT-wwm-ext"],
    "BERT-wwm-ext-base": _WWM["BERT-wwm-ext"],
    "RoBERTa-wwm-ext": _WWM["RoBERTa-wwm-ext"],
    "RoBERTa-wwm-large": _LARGE,
    "RoBERTa-wwm-large-ext": _LARGE,
    "RoBERTa-large": "roberta-large-zh.brightmart",
    "ALBERT-tiny": _TINY,
    **{
        f"ALBERT-{size}": f"albert-{size}-zh.google"
        for size in ("base", "large", "xlarge", "xxlarge")
    },
}
"""Labels of CLUEbenchmark/CLUE."""

PADDLE = {
    "HFL/RoBERTa-wwm-ext-large": _LARGE,
    "HFL/RoBERTa-wwm-ext": _WWM["RoBERTa-wwm-ext"],
    "BERT-Base-Chinese": _BERT,
    "HLF/RBT6, Chinese": "rbt6-base-zh.hfl",
    "HFL/RBT4, Chinese": "rbt4-base-zh.hfl",
    "HFL/RBTL3, Chinese": "rbtl3-large-zh.hfl",
    "HFL/RBT3, Chinese": "rbt3-base-zh.hfl",
    "TinyBERT6, Chinese": "tinybert-6l-zh.huawei",
    "TinyBERT4, Chinese": "tinybert-4l-zh.huawei",
}
"""Labels of PaddleNLP's run of CLUE."""

BRIGHTMART = {
    "BERT": _BERT,
    "BERT-wwm": _WWM["BERT-wwm"],
    "BERT-wwm-ext": _WWM["BERT-wwm-ext"],
    "RoBERTa-zh-base": "roberta-l12-base-zh.brightmart",
    "RoBERTa-zh-Large": "roberta-large-zh.brightmart",
    "Roberta-mid": "roberta-l24-base-zh.brightmart",
    "Roberta-large": "roberta-large-zh.brightmart",
    "roberta_wwm_ext_base": _WWM["RoBERTa-wwm-ext"],
    "RoBERTa-wwm-ext": _WWM["RoBERTa-wwm-ext"],
    "brightmart roberta_middle": "roberta-l24-base-zh.brightmart",
    "brightmart roberta_large": "roberta-large-zh.brightmart",
    "ALBERT-zh-tiny": "albert-tiny-zh.brightmart albert-tiny-489k-zh.brightmart",
    "ALBERT-zh-small": "albert-small-google-zh.brightmart",
    "ALBERT-zh-small (PyTorch)": "albert-small-google-zh.brightmart",
    "ALBERT-zh-base+36k": "albert-base-36k-zh.brightmart",
    "ALBERT-zh-base": "albert-base-zh.brightmart",
    "ALBERT-base": "albert-base-zh.brightmart",
    "ALBERT-zh-large": "albert-large-zh.brightmart",
    "ALBERT-large": "albert-large-zh.brightmart",
    "ALBERT-zh-xlarge": "albert-xlarge-177k-zh.brightmart"
    " albert-xlarge-183k-zh.brightmart",
    "ALBERT-xlarge": "albert-xlarge-177k-zh.brightmart"
    " albert-xlarge-183k-zh.brightmart",
}
"""Labels of brightmart/roberta_zh and brightmart/albert_zh."""

CLUE_SETS = {"BERT-base": _BERT, "BERT": _BERT, "RoBERTa-wwm-ext-large": _LARGE}
"""Labels of the repositories of OCNLI, CLUEWSC2020 and CLUENER2020."""

ZHUIYI = {
    "RoBERTa Tiny": "roberta-tiny-zh.zhuiyi",
    "RoBERTa Small": "roberta-small-zh.zhuiyi",
    "RoBERTa+ Tiny": "roberta-plus-tiny-zh.zhuiyi",
    "RoBERTa+ Small": "roberta-plus-small-zh.zhuiyi",
    "ALBERT Tiny": "albert-tiny-google-zh.brightmart",
    "ALBERT Small": "albert-small-google-zh.brightmart",
    "WoBERT": "wobert-base-zh.zhuiyi",
    "WoBERT+": "wobert-plus-base-zh.zhuiyi",
    "T5-PEGASUS": "t5-pegasus-base-zh.zhuiyi",
    "SimBERT": "simbert-base-zh.zhuiyi",
}
"""Labels of the repositories of ZhuiyiTechnology."""

NEZHA = {"NEZHA-base-WWM": "nezha-base-wwm-zh.huawei"}
"""Labels of those who measured NEZHA."""

BERT4KERAS = {"chinese_wwm": _WWM["BERT-wwm"], "BERT-base": _BERT}
"""Labels of the examples of bojone/bert4keras."""
