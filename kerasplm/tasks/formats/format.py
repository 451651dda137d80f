"""A format: the function that reads it and the names of its files."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kerasplm.errors import DataError
from kerasplm.tasks.formats.common import Reader

Names = Mapping[str, tuple[tuple[str, ...], ...]]
_SAME_SPLIT = {"valid": "dev", "validation": "dev", "val": "dev"}


@dataclasses.dataclass(frozen=True)
class Format:
    """Tell how the files of a data set are called and read.

    Args:
        read: The reader.
        names: Split to the alternatives of its file names, best first; each is a
            tuple of files that are read together.
        label_file: Name of a file that may stand beside them and lists the labels.
        read_labels: Its reader.
        beside: What the name of the file of answers has behind that of the texts; it
            is read with a file that is given by itself.

    Example:
        >>> form = FORMATS["lcqmc"]  # doctest: +SKIP
        >>> files = form.find("data/lcqmc", "dev")  # doctest: +SKIP
        >>> rows = form.read(files, ("0", "1"), labelled=True, aliases={})
        ... # doctest: +SKIP
    """

    read: Reader
    names: Names
    label_file: str = ""
    read_labels: Callable[[Path], tuple[str, ...]] | None = None
    beside: str = ""

    def labels(self, folder: str | Path) -> tuple[str, ...] | None:
        """Return the labels that the folder lists, or None if it does not.

        Raises:
            DataError: The list is broken.
        """
        file = Path(folder).expanduser() / self.label_file
        there = self.read_labels is not None and file.is_file()
        return self.read_labels(file) if there and self.read_labels else None

    def find(self, path: str | Path, split: str) -> list[Path]:
        """Return the files of a split: the path itself if it is a file.

        A file of answers that the format puts beside it belongs to it.

        Args:
            path: A folder, or a file.
            split: "train", "dev", "test", or another that the format names.

        Raises:
            DataError: The files are not there, or there in several variants; the
                message lists what was expected and what is there.
        """
        path = Path(path).expanduser()
        if path.is_file():
            answers = self.answers(path)
            return [path, answers] if answers and answers.is_file() else [path]
        if not path.is_dir():
            raise DataError(f"{path}: no such file or folder")
        split = _SAME_SPLIT.get(split, split)
        if split not in self.names:
            raise DataError(
                f"{path}: expected a split of {', '.join(self.names)}, found {split!r}"
            )
        found = self._there(path, split)
        if not found:
            there = ", ".join(sorted(file.name for file in path.iterdir())) or "nothing"
            wanted = _wanted(self.names[split])
            raise DataError(f"{path}: expected {wanted} for {split!r}, found {there}")
        same = [files for files in found if _stems(files) == _stems(found[0])]
        if len(same) > 1:
            names = ", ".join(" + ".join(files) for files in same)
            raise DataError(f"{path}: expected one file for {split!r}, found {names}")
        return [path / name for name in found[0]]

    def answers(self, path: Path) -> Path | None:
        """Return where the answers to a file stand, if not in the file itself."""
        return path.with_stem(path.stem + self.beside) if self.beside else None

    def has(self, folder: str | Path, split: str) -> bool:
        """Whether the folder holds the files of a split."""
        return bool(self._there(Path(folder).expanduser(), split))

    def _there(self, folder: Path, split: str) -> list[tuple[str, ...]]:
        """Return the alternatives of which all files are in the folder."""
        return [
            files
            for files in self.names.get(split, ())
            if all((folder / name).is_file() for name in files)
        ]


def _stems(files: Sequence[str]) -> list[str]:
    return [Path(name).stem for name in files]


def _wanted(alternatives: Sequence[Sequence[str]]) -> str:
    """Return the names for a message: one stem with all of its suffixes."""
    suffixes: dict[str, list[str]] = {}
    for *others, last in alternatives:
        stem = " + ".join([*others, Path(last).stem])
        suffixes.setdefault(stem, []).append(Path(last).suffix)
    return " or ".join(
        stem + (ends[0] if len(ends) == 1 else f"{{{','.join(ends)}}}")
        for stem, ends in suffixes.items()
    )


def one_file(
    suffixes: Sequence[str],
    train: Sequence[str] = (),
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
) -> Names:
    """Return names of splits of one file each.

    Args:
        suffixes: Possible suffixes.
        train: Names before the suffix that this data set uses besides "train".
        dev: Besides "dev", "valid", "validation", "val" and "trial".
        test: Besides "test", "test1.0", and "eval", as Chinese-ELECTRA calls it.
            CLUE's newer test files are a split of their own, "test1.1".
    """
    stems = {
        "train": (*train, "train"),
        "dev": (*dev, "dev", "valid", "validation", "val", "trial"),
        "test": (*test, "test", "test1.0", "eval"),
        "test1.1": ("test1.1",),
    }
    return {
        split: tuple((stem + suffix,) for stem in names for suffix in suffixes)
        for split, names in stems.items()
    }
