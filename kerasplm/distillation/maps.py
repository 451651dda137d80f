"""Which layer of the teacher each layer of the student learns from."""

from collections.abc import Sequence

from kerasplm.errors import ConfigError

LayerMap = str | Sequence[int]
MAPS = ("uniform", "top", "bottom")


def layer_map(choice: LayerMap, teacher: int, student: int) -> tuple[int, ...]:
    """Return the teacher's layer, counted from 0, of each layer of the student.

    The hidden states of both models before their first layer belong together, and
    those after the layers that the map pairs.

    Args:
        choice: "uniform": the last layer of each of as many equal parts of the
            teacher (TinyBERT). "top" or "bottom": its last or first layers. Or the
            layers themselves.
        teacher: Number of layers.
        student: Number of layers.

    Raises:
        ConfigError: The teacher cannot be divided so, or a layer does not exist.

    Example:
        >>> layer_map("uniform", 12, 4)
        (2, 5, 8, 11)
    """
    if student > teacher and isinstance(choice, str):
        raise ConfigError(
            f"layer_map={choice!r}: expected a student with at most {teacher} layers, "
            f"as the teacher has, found {student}; name the layers, such as "
            f"{list(range(teacher))}"
        )
    if choice == "uniform":
        if teacher % student:
            raise ConfigError(
                f"layer_map='uniform': the {teacher} layers of the teacher cannot be "
                f"divided into {student} equal parts. Choose 'top', 'bottom' or name "
                f"{student} layers, counted from 0"
            )
        size = teacher // student
        return tuple(n * size + size - 1 for n in range(student))
    if choice == "top":
        return tuple(range(teacher - student, teacher))
    if choice == "bottom":
        return tuple(range(student))
    if isinstance(choice, str):
        raise ConfigError(
            f"layer_map must be one of {', '.join(MAPS)} or numbers of layers. "
            f"Received: {choice!r}"
        )
    layers = tuple(choice)
    good = all(type(n) is int and 0 <= n < teacher for n in layers)
    if len(layers) != student or not good:
        raise ConfigError(
            f"layer_map: expected {student} layers of the teacher, each from 0 to "
            f"{teacher - 1}, found {list(choice)}"
        )
    return layers
