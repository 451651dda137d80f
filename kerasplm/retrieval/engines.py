"""Who searches: numpy, or the library faiss."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np

from kerasplm.errors import ConfigError
from kerasplm.retrieval.nearest import blocks, nearest

EngineName = Literal["numpy", "faiss-flat", "faiss-ivf", "faiss-hnsw"]
Found = tuple[np.ndarray, np.ndarray]
_LINKS = 32  # of a vector in the graph of HNSW
_LOOKED_AT = 128  # vectors in the queue of HNSW while it searches


class Engine(Protocol):
    """Finds the largest dot products."""

    def __call__(self, queries: np.ndarray, k: int) -> Found:
        """Return scores and numbers (Q, k); the number -1 is none."""
        ...


def check_engine(name: str) -> None:
    """Make sure that there is such an engine, before anything is embedded for it.

    Raises:
        ConfigError: There is none, or faiss is not installed.
    """
    if name not in get_args(EngineName):
        raise ConfigError(
            f"engine must be one of {', '.join(get_args(EngineName))}. Received: "
            f"{name!r}"
        )
    if name != "numpy":
        _faiss(name)


def engine_of(name: EngineName, parts: Sequence[np.ndarray]) -> Engine:
    """Return what searches these vectors.

    Args:
        name: "numpy" searches exactly, in blocks; "faiss-flat" exactly, by faiss, which
            copies all vectors into memory; "faiss-ivf" looks only into the nearest of
            about 4 sqrt(N) cells, "faiss-hnsw" follows a graph of neighbours: both
            are fast and miss some.
        parts: Arrays (N, D) float32, at least one vector together.

    Raises:
        ConfigError: There is no such engine, or faiss is not installed.
    """
    check_engine(name)
    if name == "numpy":
        return lambda queries, k: nearest(queries, parts, k)
    return _Faiss(name, parts)


class _Faiss:
    """Search by an index of faiss."""

    def __init__(self, name: EngineName, parts: Sequence[np.ndarray]) -> None:
        faiss = _faiss(name)
        count, width = sum(map(len, parts)), parts[0].shape[1]
        cells = max(1, min(int(4 * math.sqrt(count)), count // 39))
        kinds = {
            "faiss-flat": "Flat",
            "faiss-ivf": f"IVF{cells},Flat",
            "faiss-hnsw": f"HNSW{_LINKS},Flat",
        }
        dot = faiss.METRIC_INNER_PRODUCT
        self._index = index = faiss.index_factory(width, kinds[name], dot)
        if name == "faiss-ivf":
            index.nprobe = max(1, cells // 16)
            index.train(_sample(parts, 256 * cells))
        if name == "faiss-hnsw":
            index.hnsw.efSearch = _LOOKED_AT
        for block in blocks(parts):
            if not np.isfinite(block).all():
                raise ConfigError(
                    f"vectors from {index.ntotal} on: expected finite numbers, found "
                    "others; build the index again"
                )
            index.add(np.ascontiguousarray(block))

    def __call__(self, queries: np.ndarray, k: int) -> Found:
        return self._index.search(np.ascontiguousarray(queries), k)


def _faiss(name: str) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            f"engine {name!r} needs faiss: pip install 'kerasplm[faiss]'"
        ) from error
    return faiss


def _sample(parts: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return vectors from all over the corpus."""
    every = max(1, sum(map(len, parts)) // size)
    return np.concatenate([part[::every] for part in parts])
