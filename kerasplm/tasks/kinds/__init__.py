"""The kinds of tasks."""

from kerasplm.tasks.kinds.base import Kind, Options
from kerasplm.tasks.kinds.classification import Classification

__all__ = ["KINDS", "Kind", "Options"]

KINDS: dict[str, Kind] = {kind.name: kind for kind in (Classification(),)}
