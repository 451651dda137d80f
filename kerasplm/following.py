"""Import a module as soon as somebody imports Keras.

Keras takes seconds to import, and `keras.models.load_model` finds only classes that are
imported. So that both `import kerasplm` is quick and every order of imports works, the
classes follow Keras.
"""

import contextlib
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


def keras(module: str) -> None:
    """Import a module behind Keras: now if it is there, else when it comes."""
    if "keras" in sys.modules:
        _follow(module)
    elif not any(isinstance(finder, _Behind) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Behind(module))


class _Behind(MetaPathFinder):
    """See the import of Keras once, and go.

    Args:
        module: What follows.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how Keras is imported, with the other module behind it."""
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def both(module: ModuleType) -> None:
            execute(module)
            _follow(self.module)

        spec.loader.exec_module = both  # type: ignore[method-assign]
        return spec


def _follow(module: str) -> None:
    # A module of ours may be what imports Keras: then it is not complete yet, and its
    # user gets the others from `kerasplm.__getattr__`.
    with contextlib.suppress(ImportError):
        importlib.import_module(module)
