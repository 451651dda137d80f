"""Search texts by meaning: vectors of texts in memory or in a folder, exact search."""

from kerasplm.retrieval.index import Hit, SentenceIndex
from kerasplm.retrieval.vectors import unit_vectors

__all__ = ["Hit", "SentenceIndex", "unit_vectors"]
