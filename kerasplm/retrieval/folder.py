"""An index as a folder: `index.json`, and shards of vectors (.npy) and texts (.jsonl).

Every shard but the last holds `shard_size` texts. The vectors of a shard are written
after its texts, `index.json` after all shards, and the folder gets its name at the end.
"""

import dataclasses
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kerasplm.errors import ConfigError
from kerasplm.files import read_json
from kerasplm.retrieval.vectors import Measure

FACTS = "index.json"
FORMAT = "kerasplm sentence index 1"
_OPEN = 64  # shards whose places of lines are kept


@dataclasses.dataclass(frozen=True)
class Found:
    """What lies in the folder of an index.

    Args:
        folder: Where.
        facts: What `index.json` says.
        vectors: The shards, mapped into memory.
        texts: All texts.
    """

    folder: Path
    facts: Mapping[str, Any]
    vectors: list[np.ndarray]
    texts: "Texts"


class Texts(Sequence[str]):
    """The texts of all shards, read where they are asked for.

    Args:
        folder: Of the index.
        count: Texts of all shards.
        shard_size: Texts of a shard.
    """

    def __init__(self, folder: Path, count: int, shard_size: int) -> None:
        self._folder, self._count, self._size = folder, count, shard_size
        self._open: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of texts."""
        return self._count

    def __getitem__(self, number: Any) -> Any:
        """Return the text of a number, or those of a slice.

        Raises:
            ConfigError: The file is damaged.
        """
        if isinstance(number, slice):
            return [self[n] for n in range(self._count)[number]]
        number = range(self._count)[number]
        shard, row = divmod(number, self._size)
        path = texts_file(self._folder, shard)
        data, ends = self._shard(shard, path)
        begin = int(ends[row - 1]) + 1 if row else 0
        try:
            text = json.loads(data[begin : int(ends[row])].tobytes().decode())
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path}: line {row + 1}: not JSON ({error}); build the index again"
            ) from error
        if not isinstance(text, str):
            raise ConfigError(
                f"{path}: line {row + 1}: expected a string, found "
                f"{type(text).__name__}; build the index again"
            )
        return text

    def _shard(self, shard: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return the bytes of a shard and where its lines end."""
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        expected = min(self._size, self._count - shard * self._size)
        try:
            data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise ConfigError(f"{path}: cannot be read ({error})") from error
        ends = np.flatnonzero(data == ord("\n"))
        if len(ends) != expected:
            raise ConfigError(
                f"{path}: expected {expected} lines, found {len(ends)}; build the "
                "index again"
            )
        self._open[shard] = data, ends
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return data, ends


def read(folder: Path) -> Found:
    """Open the folder of an index.

    Raises:
        ConfigError: It is none, or is damaged.
    """
    folder = folder.expanduser()
    if not (folder / FACTS).is_file():
        raise ConfigError(f"{folder}: no index ({FACTS} is not there)")
    facts = read_json(folder / FACTS)
    if facts.get("format") != FORMAT:
        raise ConfigError(
            f"{folder / FACTS}: expected the format {FORMAT!r}, found "
            f"{facts.get('format')!r:.80}"
        )
    for name in ("count", "width", "shard_size"):
        value = facts.get(name)
        if type(value) is not int or not 1 <= value < 2**48:
            raise ConfigError(
                f"{folder / FACTS}: {name}: expected a positive number, found "
                f"{value!r:.80}"
            )
    if facts.get("measure") not in get_args(Measure):
        raise ConfigError(
            f"{folder / FACTS}: measure: expected one of "
            f"{', '.join(get_args(Measure))}, found {facts.get('measure')!r:.80}"
        )
    if not isinstance(facts.get("model"), dict | None):
        raise ConfigError(f"{folder / FACTS}: model: expected an object or null")
    count, size = facts["count"], facts["shard_size"]
    vectors = [
        mapped(vectors_file(folder, n), (min(size, count - first), facts["width"]))
        for n, first in enumerate(range(0, count, size))
    ]
    return Found(folder, facts, vectors, Texts(folder, count, size))


def check_model(found: Found, facts: Mapping[str, Any] | None) -> None:
    """Make sure that queries get their vectors as the texts got theirs.

    Raises:
        ConfigError: They do not.
    """
    built = found.facts["model"]
    if built is None or facts is None:
        return  # made by functions that say nothing of themselves
    for name in sorted(built.keys() | facts.keys()):
        then, now = built.get(name), facts.get(name)
        if then != now:
            raise ConfigError(
                f"{found.folder}: was built with {name} {then!r:.80}, found {now!r:.80}"
            )


def embedding_options(found: Found) -> dict[str, Any]:
    """Return the options of the pipeline with which an index was built.

    Raises:
        ConfigError: One is of another type.
    """
    facts, options = found.facts["model"] or {}, {}
    for name, kind in (("pooling", str), ("layers", list), ("max_length", int)):
        value = facts.get(name)
        if value is None:
            continue
        numbers = value if kind is list else []
        if type(value) is not kind or any(type(n) is not int for n in numbers):
            raise ConfigError(
                f"{found.folder / FACTS}: {name}: expected {kind.__name__}, found "
                f"{value!r:.80}"
            )
        options[name] = value
    return options


def mapped(path: Path, shape: tuple[int, int | None]) -> np.ndarray:
    """Map the vectors of a shard into memory.

    Args:
        path: The file.
        shape: (N, D); D may be None.

    Raises:
        ConfigError: The file is no array of this shape.
    """
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: cannot be read ({reason})") from error
    if (
        vectors.ndim != 2
        or len(vectors) != shape[0]
        or shape[1] not in (None, vectors.shape[1])
        or vectors.dtype != np.dtype("<f4")
        or not vectors.flags.c_contiguous
    ):
        raise ConfigError(
            f"{path}: expected float32 of shape {shape} in rows, found "
            f"{vectors.dtype} of shape {vectors.shape}; build the index again"
        )
    return vectors


def vectors_file(folder: Path, shard: int) -> Path:
    """Return the file of the vectors of a shard."""
    return folder / f"vectors-{shard:05}.npy"


def texts_file(folder: Path, shard: int) -> Path:
    """Return the file of the texts of a shard, one JSON string per line."""
    return folder / f"texts-{shard:05}.jsonl"
