"""ELECTRA: a checkpoint holds a discriminator and, mostly, a generator."""

from kerasplm.families.base import Entry, Family, rescope
from kerasplm.families.bert import LAYERS, TABLES

_SOURCE = "google-research/electra model/modeling.py; ymcui/Chinese-ELECTRA"
_PAPER = "arXiv:2003.10555"
_PROJECTION: dict[str, Entry] = {
    "encoder/embeddings/projection/{w}": "bert/embeddings_project/{w}",
}
_MLM: dict[str, Entry] = {
    "mlm/dense/{w}": "generator_predictions/dense/{w}",
    "mlm/norm/{n}": "generator_predictions/LayerNorm/{n}",
    "mlm/bias": "generator_predictions/output_bias",
}
_RTD: dict[str, Entry] = {
    "rtd/dense/{w}": "discriminator_predictions/dense/{w}",
    "rtd/prediction/{w}": "discriminator_predictions/dense_1/{w}",
}
_TASK = "task_specific/{task}/"
_CLASSIFIER: dict[str, str] = {"classifier/logits/{w}": _TASK + "dense/{w}"}
# The head for questions: layers are numbered as they are made, and two parts of it
# may be left out or be simpler.
_SPAN: dict[str, str] = {
    "span/start/{w}": _TASK + "dense/{w}",
    "span/end/{w}": _TASK + "dense_1/{w}",
}
_JOINT: dict[str, str] = {"span/end_hidden/{w}": _TASK + "qa_hidden/{w}"}
_NONE: dict[str, str] = {}
_ANSWERABLE: tuple[dict[str, str], ...] = (
    _NONE,
    {"span/answerable_first/{w}": _TASK + "dense_2/{w}"},
    {
        "span/answerable_hidden/{w}": _TASK + "dense_2/{w}",
        "span/answerable/{w}": _TASK + "dense_3/{w}",
    },
)
_HEADS = (
    _CLASSIFIER,
    *(_SPAN | ends | judge for ends in (_NONE, _JOINT) for judge in _ANSWERABLE),
)
_BODY = TABLES | _PROJECTION | LAYERS
_REQUIRED = (*TABLES, *LAYERS)
# Two networks have the names of one BERT each, under scopes of their own.
_DISCRIMINATOR = rescope(_BODY, [("bert/", "electra/")])
_OWN_GENERATOR = rescope(_BODY, [("bert/", "generator/")])
_TIED_GENERATOR = rescope(
    _BODY, [("bert/embeddings/", "electra/embeddings/"), ("bert/", "generator/")]
)

ELECTRA = Family(
    name="electra",
    title="ELECTRA, Chinese-ELECTRA: the discriminator",
    source=_SOURCE,
    paper=_PAPER,
    weights=_DISCRIMINATOR | _RTD,
    heads=_HEADS,
    span={"head": "electra"},
    required=_REQUIRED,
    gelu="gelu_erf",
    fixed={"pooler": "none"},
    part="discriminator",
    other=(
        "generator/.*",
        "generator_predictions/.*",
        "task_specific/.*",
        "layers/.*",
    ),
    config_file="discriminator_config.json",
    tokenizer="electra",
)

# `untied_generator=False` and `electra_objective=False` train one network.
ELECTRA_SHARED = Family(
    name="electra_shared",
    title="ELECTRA's code with one network as generator and discriminator",
    source=_SOURCE,
    paper=_PAPER,
    weights=_DISCRIMINATOR | _MLM | _RTD,
    heads=_HEADS,
    span={"head": "electra"},
    required=(*_REQUIRED, *_MLM),
    gelu="gelu_erf",
    fixed={"pooler": "none"},
    part="both",
    other=("task_specific/.*",),
    config_file="discriminator_config.json",
    tokenizer="electra",
)

ELECTRA_GENERATOR = Family(
    name="electra_generator",
    title="ELECTRA, Chinese-ELECTRA: the generator, embeddings tied",
    source=_SOURCE,
    paper=_PAPER,
    weights=_TIED_GENERATOR | _MLM,
    required=(*_REQUIRED, *_MLM),
    gelu="gelu_erf",
    fixed={"pooler": "none"},
    part="generator",
    head_size=64,
    other=(
        "electra/encoder/.*",
        "electra/embeddings_project/.*",
        "discriminator_predictions/.*",
        "task_specific/.*",
    ),
    config_file="generator_config.json",
    tokenizer="electra",
)

ELECTRA_GENERATOR_UNTIED = Family(
    name="electra_generator_untied",
    title="ELECTRA: the generator with embeddings of its own",
    source=_SOURCE,
    paper=_PAPER,
    weights=_OWN_GENERATOR | _MLM,
    required=(*_REQUIRED, *_MLM),
    gelu="gelu_erf",
    fixed={"pooler": "none"},
    part="generator",
    head_size=64,
    other=("electra/.*", "discriminator_predictions/.*", "task_specific/.*"),
    config_file="generator_config.json",
    tokenizer="electra",
)
