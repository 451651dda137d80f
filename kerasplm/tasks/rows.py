"""What one line or item of a data file says, one class for each kind of task."""

import dataclasses
from typing import Any

Span = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class TextRow:
    """A text, or a pair of texts, with a class or a number.

    Args:
        id: Identifier for a submission: that of the file, or 0, 1, 2, ...
        text: First text.
        pair: Second text; None for a task on single texts.
        label: Class as the task spells it; a number for a regression; None if the
            file has none.
        group: Rows of one group are decided together (COPA); None stands alone.
    """

    id: Any
    text: str
    pair: str | None = None
    label: str | float | None = None
    group: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer in a passage.

    Args:
        text: Its surface.
        start: Character of the passage where it begins; -1 if the file does not say.
    """

    text: str
    start: int = -1


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question on a passage whose answer is a part of the passage.

    Args:
        id: Identifier of the question.
        question: The question.
        context: The passage.
        answers: All reference answers; None if the file has none (a test file).
        impossible: Whether the passage has no answer (SQuAD v2).
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None = None
    impossible: bool = False


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A named part of a text.

    Args:
        start: First character.
        end: One behind the last character.
        type: Its type, such as "name".
    """

    start: int
    end: int
    type: str


@dataclasses.dataclass(frozen=True, slots=True)
class EntityRow:
    """A text with its entities.

    Args:
        id: Identifier.
        text: The text.
        entities: Sorted; None if the file has none.
    """

    id: Any
    text: str
    entities: tuple[Entity, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A question with candidates of which one is right.

    Args:
        id: Identifier.
        context: Passage; for a cloze the text before the blank.
        question: Question; for a cloze the text after the blank.
        choices: The candidates.
        answer: Place of the right one; None if the file does not say.
        group: Rows of one group take each candidate once at most (CHID).
    """

    id: Any
    context: str
    question: str
    choices: tuple[str, ...]
    answer: int | None = None
    group: Any = None


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Triple:
    """A relation between two parts of a text."""

    subject: str
    predicate: str
    object: str


@dataclasses.dataclass(frozen=True, slots=True)
class RelationRow:
    """A text with its relations.

    Args:
        id: Identifier.
        text: The text.
        triples: Sorted and unique; None if the file has none.
    """

    id: Any
    text: str
    triples: tuple[Triple, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SourceRow:
    """Texts to read, and the text to write.

    Args:
        id: Identifier.
        texts: What is read: one text, or several, such as a passage and a question.
        targets: What may be written; the first one is trained on. None if the file
            has none.
        references: What a prediction is compared with; () means the targets.
        group: Of the rows of one group the surest answer is given (the passages of
            one question); None stands alone.
    """

    id: Any
    texts: tuple[str, ...]
    targets: tuple[str, ...] | None = None
    references: tuple[str, ...] = ()
    group: Any = None


Row = TextRow | QuestionRow | EntityRow | ChoiceRow | RelationRow | SourceRow
