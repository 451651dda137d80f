"""BERT and the models with its layout: RoBERTa-zh, BERT-wwm, RBT, WoBERT, TinyBERT."""

from kerasplm.families.base import TRANSPOSE, Entry, Family

TABLES: dict[str, Entry] = {
    "encoder/embeddings/word": "bert/embeddings/word_embeddings",
    "encoder/embeddings/type": "bert/embeddings/token_type_embeddings",
    "encoder/embeddings/position": "bert/embeddings/position_embeddings",
    "encoder/embeddings/norm/{n}": "bert/embeddings/LayerNorm/{n}",
}
LAYERS: dict[str, Entry] = {
    "encoder/layer_{i}/attention/{qkv}/{w}": (
        "bert/encoder/layer_{i}/attention/self/{qkv}/{w}"
    ),
    "encoder/layer_{i}/attention/output/{w}": (
        "bert/encoder/layer_{i}/attention/output/dense/{w}"
    ),
    "encoder/layer_{i}/attention_norm/{n}": (
        "bert/encoder/layer_{i}/attention/output/LayerNorm/{n}"
    ),
    "encoder/layer_{i}/ffn/inner/{w}": "bert/encoder/layer_{i}/intermediate/dense/{w}",
    "encoder/layer_{i}/ffn/outer/{w}": "bert/encoder/layer_{i}/output/dense/{w}",
    "encoder/layer_{i}/ffn_norm/{n}": "bert/encoder/layer_{i}/output/LayerNorm/{n}",
}
POOLER: dict[str, Entry] = {"encoder/pooler/{w}": "bert/pooler/dense/{w}"}
MLM: dict[str, Entry] = {
    "mlm/dense/{w}": "cls/predictions/transform/dense/{w}",
    "mlm/norm/{n}": "cls/predictions/transform/LayerNorm/{n}",
    "mlm/bias": "cls/predictions/output_bias",
}
SENTENCE_PAIR: dict[str, Entry] = {
    "sentence_pair/kernel": ("cls/seq_relationship/output_weights", TRANSPOSE),
    "sentence_pair/bias": "cls/seq_relationship/output_bias",
}
CLASSIFIER: dict[str, Entry] = {
    "classifier/logits/kernel": ("output_weights", TRANSPOSE),
    "classifier/logits/bias": "output_bias",
}
SPAN: dict[str, Entry] = {
    "span/logits/kernel": ("cls/squad/output_weights", TRANSPOSE),
    "span/logits/bias": "cls/squad/output_bias",
}
HEADS = MLM | SENTENCE_PAIR | CLASSIFIER | SPAN
OTHER_HEADS = (
    "(start|end)_logits/.*",
    "answer_class/.*",
    # Of a network around an encoder, from a Keras file.
    "layers/.*",
    # Of tf-models-official: the pooler that is not in use, heads for other tasks.
    "pooler_transform/.*",
    "(next_sentence|sentence_prediction)/.*",
    "predictions/transform/.*",
)

BERT = Family(
    name="bert",
    title="BERT, RoBERTa-zh, BERT-wwm(-ext), RoBERTa-wwm(-ext), RBT, RoBERTa tiny",
    source="google-research/bert modeling.py",
    paper="arXiv:1810.04805",
    weights=TABLES | LAYERS | POOLER | HEADS,
    required=(*TABLES, *LAYERS),
    other=OTHER_HEADS,
)

WOBERT = Family(
    name="wobert",
    title="WoBERT, WoBERT+ (BERT with a vocabulary of words)",
    source="ZhuiyiTechnology/WoBERT; bojone/bert4keras models.py",
    paper="",
    weights=BERT.weights,
    required=BERT.required,
    gelu="gelu_erf",
    other=OTHER_HEADS,
    path_hint="wobert",
    vocab_hint="words",
    hint_only=True,
)

# A student keeps its layer to the teacher's width; without that it is a BERT.
PROJECTION: dict[str, Entry] = {"fit_dense/{w}": "fit_dense/{w}"}
TINYBERT = Family(
    name="tinybert",
    title="TinyBERT (general and task-specific students)",
    source="huawei-noah/Pretrained-Language-Model TinyBERT/transformer/modeling.py",
    paper="arXiv:1909.10351",
    weights=TABLES | LAYERS | POOLER | HEADS | PROJECTION,
    required=BERT.required,
    gelu="gelu_erf",
    other=OTHER_HEADS,
    path_hint="tinybert",
    hint_only=True,
    config_file="config.json",
    tokenizer="electra",
    max_word_chars=100,
    classifier={"activation": "relu", "dropout": 0.0},
)
