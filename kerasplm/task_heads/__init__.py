"""Heads for tasks on an encoder's output, each with its losses and its decoding.

Letters: B batch, T tokens, D hidden size, C labels, K starts and J ends of a beam,
N heads (types of spans), H head size, P predicates.

Every class of a head is imported here, so that `keras.models.load_model` finds it.
"""

from kerasplm.task_heads.conditional_norm import ConditionalLayerNorm
from kerasplm.task_heads.conditional_span import ConditionalSpanHead
from kerasplm.task_heads.crf import CRF
from kerasplm.task_heads.global_pointer import EfficientGlobalPointer, GlobalPointer
from kerasplm.task_heads.memm import MEMM
from kerasplm.task_heads.regression import RegressionHead
from kerasplm.task_heads.relation import GPLinker, ObjectHead, SubjectHead
from kerasplm.task_heads.span import SpanHead
from kerasplm.task_heads.tagging import TaggingHead

__all__ = [
    "CRF",
    "MEMM",
    "ConditionalLayerNorm",
    "ConditionalSpanHead",
    "EfficientGlobalPointer",
    "GPLinker",
    "GlobalPointer",
    "ObjectHead",
    "RegressionHead",
    "SpanHead",
    "SubjectHead",
    "TaggingHead",
]
