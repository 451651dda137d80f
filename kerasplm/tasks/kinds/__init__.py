"""The kinds of tasks."""

from kerasplm.tasks.kinds.base import Kind, Options
from kerasplm.tasks.kinds.choice import Choice
from kerasplm.tasks.kinds.classification import Classification
from kerasplm.tasks.kinds.embedding import Embedding
from kerasplm.tasks.kinds.generation import Generation
from kerasplm.tasks.kinds.regression import Regression
from kerasplm.tasks.kinds.relation import Relation
from kerasplm.tasks.kinds.span import SpanExtraction
from kerasplm.tasks.kinds.tagging import Tagging

__all__ = ["KINDS", "Kind", "Options"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Classification(),
        Regression(),
        SpanExtraction(),
        Choice(),
        Tagging(),
        Relation(),
        Embedding(),
        Generation(),
    )
}
