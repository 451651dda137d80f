"""Find the files of a model: checkpoint, configuration, vocabulary."""

import contextlib
import dataclasses
import difflib
import functools
import glob
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from kerasplm.archive import SUFFIXES, is_archive, unpack
from kerasplm.catalogue import CATALOGUE, Entry
from kerasplm.checkpoint import OBJECT_GRAPH, Reader, Weights
from kerasplm.download import download
from kerasplm.errors import CheckpointError
from kerasplm.families import Hints
from kerasplm.files import read_json
from kerasplm.huggingface import HuggingFaceReader
from kerasplm.keras_h5 import Bert4KerasReader, is_keras2
from kerasplm.model_garden import ModelGardenReader
from kerasplm.tensor_files import FILES, WEIGHTS, is_tensor_file

_CONFIG = re.compile(
    r"(?!tokenizer|generation|special)(.*config.*|(disc|gen).*tor)\.json"
)
# Keras 3, and HDF5 of Keras 2, whose users also write ".weights".
_KERAS = (".keras", ".h5", ".hdf5", ".weights")
Kind = Literal["tf1", "huggingface", "bert4keras", "keras"]
_STEP = re.compile(r"(.*?)-(\d+)")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the files of one model are.

    Args:
        folder: The folder that holds them.
        prefix: The checkpoint without ".index", or a file of Hugging Face or Keras;
            None if the folder has none.
        name: What the user gave, for messages.
        entry: The row of the catalogue that it is, if it was named so.
    """

    folder: Path
    prefix: Path | None
    name: str
    entry: Entry | None = None

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's prefix.

        Raises:
            CheckpointError: There is no checkpoint.
        """
        if self.prefix is None:
            raise CheckpointError(
                f"{self.name}: no checkpoint here. Expected a file *.index (TF1) or "
                f"{' or '.join(WEIGHTS)} (Hugging Face), found {_listing(self.folder)}"
            )
        return self.prefix

    @functools.cached_property
    def kind(self) -> Kind:
        """In which format the weights are."""
        if self.prefix is None or not self.prefix.is_file():
            return "tf1"
        if is_tensor_file(self.prefix):
            return "huggingface"
        if self.prefix.suffix != ".keras" and is_keras2(self.prefix):
            return "bert4keras"
        return "keras"

    def weights(self, index_only: bool = False, heads: str | None = None) -> Weights:
        """Open the weights, in whatever format they are.

        Args:
            index_only: Whether names and shapes will do.
            heads: As for `load`, for formats in which a head has its own pooler.

        Raises:
            CheckpointError: There are none, or they are damaged.
        """
        if self.kind == "tf1":
            reader = Reader(self.checkpoint, index_only)
            by_object = OBJECT_GRAPH in reader.shapes
            return ModelGardenReader(reader, heads) if by_object else reader
        if self.kind == "bert4keras":
            return Bert4KerasReader(self.checkpoint)
        if self.kind == "keras":
            raise CheckpointError(
                f"{self.checkpoint}: a file of Keras has no variables by name"
            )
        kinds = [read_json(file).get("model_type") for file in self.configs()]
        return HuggingFaceReader(self.checkpoint, str((kinds or ["bert"])[0] or "bert"))

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
def open_source(x: str | Path, part: str | None = None) -> Iterator[Source]:
    """Find the model files in a folder, beside a checkpoint prefix or in an archive.

    Args:
        x: Name of the catalogue, of which the files are downloaded unless they are
            there; or folder, checkpoint prefix (with or without ".index"), file of
            Hugging Face (or the index of several) or of Keras, or .zip, .tar.gz,
            .tgz, .tar file. An archive is unpacked to a temporary folder, gone when
            the context ends. What exists on the disk comes before the catalogue.
        part: Network of an ELECTRA, where the catalogue has each at its own place.

    Raises:
        CheckpointError: There is nothing at that place, or several checkpoints.
        DownloadError: The model could not be downloaded.
        ArchiveError: The archive is broken or hostile.
    """
    if not str(x):
        raise CheckpointError("expected the name or the place of a model, found ''")
    path = Path(x).expanduser()
    entry = CATALOGUE.get(str(x)) if not path.exists() else None
    if entry is not None:
        folder = download(entry.name, entry.sources, part=part)
        found = _in_folder(folder, str(x), part)
        yield dataclasses.replace(found, entry=entry)
    elif path.is_file() and is_archive(path):
        with tempfile.TemporaryDirectory(prefix="kerasplm-") as name:
            unpack(path, Path(name))
            yield _in_folder(Path(name), str(x), part)
    elif path.is_dir():
        yield _in_folder(path, str(x), part)
    elif path.is_file() and (is_tensor_file(path) or path.suffix in _KERAS):
        yield Source(path.parent, path, str(x))
    else:
        prefix = path.with_name(
            re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", path.name)
        )
        if not list(prefix.parent.glob(glob.escape(prefix.name) + ".*")):
            raise CheckpointError(
                f"{x}: nothing there. Expected a name of the catalogue{_like(str(x))}, "
                "a folder, a checkpoint prefix (of PREFIX.index) or an archive "
                f"({', '.join(SUFFIXES)})"
            )
        yield Source(prefix.parent, prefix, str(x))


def _like(name: str) -> str:
    close = difflib.get_close_matches(name, CATALOGUE, n=2)
    return f" (such as {' or '.join(close)})" if close else ""


def _in_folder(folder: Path, name: str, part: str | None) -> Source:
    """Look in the folder, then in the folders below it: archives often nest.

    The text file "checkpoint" is not read: it may hold a path of its author's disk.
    """
    inner = folder / (part or "discriminator")
    if not _weights(folder) and inner.is_dir():
        # Of an ELECTRA at Hugging Face each network has a folder of its own.
        return _in_folder(inner, name, part)
    if not _weights(folder) and (folder / "model" / "task.json").is_file():
        return _in_folder(folder / "model", name, part)  # the output of `finetune`
    indexes = _files(folder, "*.index") or _files(folder, "**/*.index")
    if indexes:
        index = _one(indexes, folder, name)
        return Source(index.parent, index.with_suffix(""), name)
    places = {file.parent for file in _files(folder, "**/*") if _weights(file.parent)}
    if len(places) > 1 and folder not in places:
        raise _several(name, [str(p.relative_to(folder)) for p in sorted(places)])
    place = folder if folder in places else next(iter(places), _nested(folder))
    found = _weights(place)
    if len(found) > 1 and not is_tensor_file(found[0]):
        raise _several(name, [file.name for file in found])
    return Source(place, found[0] if found else None, name)


def _one(indexes: Sequence[Path], folder: Path, name: str) -> Path:
    """Return the only checkpoint, or the last step of one training."""
    steps = {file: _STEP.fullmatch(file.stem) for file in indexes}
    stems = {(file.parent, step[1]) if step else file for file, step in steps.items()}
    if len(stems) > 1:
        raise _several(name, [str(f.relative_to(folder))[:-6] for f in indexes])
    return max(indexes, key=lambda file: int(step[2]) if (step := steps[file]) else 0)


def _weights(folder: Path) -> list[Path]:
    """Return the weights of Hugging Face, the best first; else those of Keras."""
    found = [folder / file for file in FILES if (folder / file).is_file()]
    return found or [f for f in _files(folder, "*") if f.suffix in _KERAS]


def _several(name: str, found: Sequence[str]) -> CheckpointError:
    return CheckpointError(
        f"{name}: expected one checkpoint, found {len(found)}: {', '.join(found)}. "
        "Pass the path of one of them"
    )


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
