"""Every class that a `.keras` file may name: importing this registers them."""

from kerasplm.encoder import Encoder
from kerasplm.heads import PretrainedModel
from kerasplm.methods import FGM, PGD, VAT, GradientPenalty, RDrop
from kerasplm.optimization import LAMB, AdamW, adamw
from kerasplm.schedules import PiecewiseLinear, WarmupLinear
from kerasplm.seq2seq.config import Seq2SeqConfig
from kerasplm.seq2seq.model import Seq2Seq
from kerasplm.task_models import (
    Classifier,
    EntityTagger,
    MultipleChoice,
    RelationExtractor,
    SentenceEncoder,
    SpanExtractor,
    TextGenerator,
)

__all__ = [
    "FGM",
    "LAMB",
    "PGD",
    "VAT",
    "AdamW",
    "Classifier",
    "Encoder",
    "EntityTagger",
    "GradientPenalty",
    "MultipleChoice",
    "PiecewiseLinear",
    "PretrainedModel",
    "RDrop",
    "RelationExtractor",
    "SentenceEncoder",
    "Seq2Seq",
    "Seq2SeqConfig",
    "SpanExtractor",
    "TextGenerator",
    "WarmupLinear",
    "adamw",
]
