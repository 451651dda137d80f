"""Take part in what an encoder computes while a larger model calls it."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

Tensor = Any


class Hook:
    """Sees what an encoder computes, and may put something else in its place.

    This one changes nothing; override what is needed. A call with a hook computes
    padding too and keeps the inside of all blocks.

    Attributes:
        first_only: Whether the last block may be computed for the first token only,
            where the caller asks for that; T is then 1 in what it returns.
    """

    first_only = False

    def embedded(self, x: Tensor, asked: Mapping[str, Any]) -> Tensor:
        """Return the input of the first block.

        Args:
            x: (B, T, D), that input.
            asked: What the embeddings were called with, but for `training`.
        """
        return x

    def applied(
        self,
        number: int,
        before: Tensor,
        x: Tensor,
        scores: Tensor,
        asked: Mapping[str, Any],
    ) -> Tensor:
        """Return what the next block gets, or the encoder returns.

        Args:
            number: Of the block in the order of application, from 0.
            before: (B, T, D), the input of the block.
            x: (B, T, D), its output.
            scores: (B, N, T, T), scaled and masked, before softmax.
            asked: Its keyword arguments.
        """
        return x


_hooks: contextvars.ContextVar[tuple[tuple[Any, Hook], ...]] = contextvars.ContextVar(
    "hooks", default=()
)


@contextlib.contextmanager
def hooked(encoder: Any, hook: Hook) -> Iterator[None]:
    """Let a hook take part in every call of the encoder inside, in this thread.

    Example:
        >>> with hooked(model.encoder, hook):  # doctest: +SKIP
        ...     model(inputs)
    """
    token = _hooks.set(((encoder, hook), *_hooks.get()))
    try:
        yield
    finally:
        _hooks.reset(token)


def hook_of(encoder: Any) -> Hook | None:
    """Return the hook of an encoder in this thread; the innermost of several."""
    return next((hook for owner, hook in _hooks.get() if owner is encoder), None)
