"""The errors that kerasplm raises for bad input: one clear sentence each."""


class PLMError(ValueError):
    """Base of every error that names a file, a place, the expected and the found."""


class ConfigError(PLMError):
    """A configuration contradicts itself or the weights, or lacks a field."""


class CheckpointError(PLMError):
    """A checkpoint is missing, truncated, or does not fit the model."""


class ExportError(PLMError):
    """An exported file cannot be made, or does not give the numbers of the model."""


class FamilyError(PLMError):
    """No family, or more than one, explains the variables of a checkpoint."""


class ArchiveError(PLMError):
    """An archive is broken or hostile (path traversal, links, a bomb)."""


class CatalogueError(PLMError):
    """The catalogue has no model of that name."""


class DownloadError(PLMError):
    """A file could not be fetched, or is not the file that was expected."""


class VocabError(PLMError):
    """A vocabulary file cannot be used."""


class DataError(PLMError):
    """A data file of a task is broken at a named line."""


def describe(error: Exception) -> str:
    """Return one line for a user; a system error is told by its file and reason."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'system'}: {error.strerror}"
    return str(error)
