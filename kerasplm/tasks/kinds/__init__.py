"""The kinds of tasks."""

from kerasplm.tasks.kinds.base import Kind, Options
from kerasplm.tasks.kinds.classification import Classification
from kerasplm.tasks.kinds.relation import Relation

__all__ = ["KINDS", "Kind", "Options"]

KINDS: dict[str, Kind] = {kind.name: kind for kind in (Classification(), Relation())}
