"""Find the files of a model: checkpoint, configuration, vocabulary."""

import contextlib
import dataclasses
import glob
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasplm.archive import SUFFIXES, is_archive, unpack
from kerasplm.checkpoint import Reader, Weights
from kerasplm.errors import CheckpointError, ConfigError
from kerasplm.families import Hints
from kerasplm.huggingface import WEIGHTS, SafetensorsReader

_CONFIG = re.compile(
    r"(?!tokenizer|generation|special)(.*config.*|(disc|gen).*tor)\.json"
)
_STEP = re.compile(r".*?-(\d+)")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the files of one model are.

    Args:
        folder: The folder that holds them.
        prefix: The checkpoint without ".index", or a `.safetensors` file; None if
            the folder has neither.
        name: What the user gave, for messages.
    """

    folder: Path
    prefix: Path | None
    name: str

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's prefix.

        Raises:
            CheckpointError: There is no checkpoint.
        """
        if self.prefix is None:
            raise CheckpointError(
                f"{self.name}: no checkpoint here. Expected a file *.index (TF1) or "
                f"{WEIGHTS} (Hugging Face), found {_listing(self.folder)}"
            )
        return self.prefix

    @property
    def is_hugging_face(self) -> bool:
        """Whether the weights are in Hugging Face's format."""
        return self.prefix is not None and self.prefix.suffix == ".safetensors"

    def weights(self, index_only: bool = False) -> Weights:
        """Open the weights, in whatever format they are.

        Args:
            index_only: Whether names and shapes will do.

        Raises:
            CheckpointError: There are none, or they are damaged.
        """
        if not self.is_hugging_face:
            return Reader(self.checkpoint, index_only)
        kinds = [read_json(file).get("model_type") for file in self.configs()]
        return SafetensorsReader(self.checkpoint, str((kinds or ["bert"])[0]))

    def configs(self) -> list[Path]:
        """Return the JSON files whose names are those of a configuration."""
        files = _files(self.folder, "*.json")
        found = [file for file in files if _CONFIG.fullmatch(file.name.lower())]
        # ELECTRA's training leaves its hyper-parameters, if nothing else.
        return found or [file for file in files if file.name == "hparams.json"]

    def vocab(self) -> Path | None:
        """Return the vocabulary file, or None."""
        files = _files(self.folder, "*vocab*.txt")
        exact = [file for file in files if file.name == "vocab.txt"]
        found = exact or files
        return found[0] if found else None

    def hints(self, configs: Iterable[Mapping[str, Any]] = ()) -> Hints:
        """Return what names, configurations and vocabulary say about the family."""
        file = self.prefix.name if self.prefix else ""
        # Not the folders above: a model may lie anywhere.
        path = f"{Path(self.name).name} {self.folder.resolve().name} {file}"
        keys = frozenset(
            key for data in configs for key, value in data.items() if value
        )
        vocab = self.vocab()
        if vocab is None:
            return Hints(path, keys)
        tokens = vocab.read_text(encoding="utf-8", errors="replace").split("\n")
        return Hints(path, keys, words=has_words(tokens), mask="[MASK]" in tokens)


def has_words(tokens: Sequence[str]) -> bool:
    """Whether a vocabulary is one of words, such as WoBERT's."""
    # Char-level vocabularies have a handful of such tokens at most.
    return len(words_in(tokens)) > max(10, len(tokens) // 100)


def words_in(tokens: Sequence[str]) -> list[str]:
    """Return the tokens of several ideographs."""
    return [token for token in tokens if len(re.findall("[\u4e00-\u9fff]", token)) > 1]


@contextlib.contextmanager
def open_source(x: str | Path) -> Iterator[Source]:
    """Find the model files in a folder, beside a checkpoint prefix or in an archive.

    Args:
        x: Folder, checkpoint prefix (with or without ".index"), .safetensors file,
            or .zip, .tar.gz, .tgz, .tar file. An archive is unpacked to a temporary
            folder, which is gone when the context ends.

    Raises:
        CheckpointError: There is nothing at that place, or several checkpoints.
        ArchiveError: The archive is broken or hostile.
    """
    path = Path(x).expanduser()
    if path.is_file() and is_archive(path):
        with tempfile.TemporaryDirectory(prefix="kerasplm-") as folder:
            unpack(path, Path(folder))
            yield _in_folder(Path(folder), str(x))
    elif path.is_dir():
        yield _in_folder(path, str(x))
    elif path.is_file() and path.suffix == ".safetensors":
        yield Source(path.parent, path, str(x))
    else:
        prefix = path.with_name(
            re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", path.name)
        )
        if not list(prefix.parent.glob(glob.escape(prefix.name) + ".*")):
            raise CheckpointError(
                f"{x}: nothing there. Expected a folder, a checkpoint prefix (of "
                f"PREFIX.index) or an archive ({', '.join(SUFFIXES)})"
            )
        yield Source(prefix.parent, prefix, str(x))


def _in_folder(folder: Path, name: str) -> Source:
    """Look in the folder, then in the folders below it: archives often nest.

    The text file "checkpoint" is not read: it may hold a path of its author's disk.
    """
    indexes = _files(folder, "*.index") or _files(folder, "**/*.index")
    if not indexes:
        place = _nested(folder)
        file = place / WEIGHTS
        return Source(place, file if file.is_file() else None, name)
    steps = [_STEP.fullmatch(file.stem) for file in indexes]
    if len(indexes) > 1 and all(steps):
        # Checkpoints of one training: the last step.
        number, index = max(
            (int(s[1]), f) for s, f in zip(steps, indexes, strict=True) if s
        )
    elif len(indexes) > 1:
        found = ", ".join(str(file.relative_to(folder))[:-6] for file in indexes)
        raise CheckpointError(
            f"{name}: expected one checkpoint, found {len(indexes)}: {found}. Pass the "
            "path of one of them"
        )
    else:
        index = indexes[0]
    return Source(index.parent, index.with_suffix(""), name)


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of that pattern; hidden ones are not the user's."""
    found = folder.glob(pattern)
    return sorted(f for f in found if f.is_file() and not f.name.startswith("."))


def _nested(folder: Path) -> Path:
    files, here = _files(folder, "**/*vocab*.txt"), _files(folder, "*vocab*.txt")
    return folder if here or len(files) != 1 else files[0].parent


def _listing(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") or "no files"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConfigError: The file is not UTF-8, not JSON, or not an object; the message
            names the line.
    """
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: not JSON at line {error.lineno}, column {error.colno} "
            f"({error.msg})"
        ) from error
    except (OSError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: expected a JSON object, found {type(data).__name__}"
        )
    return data
