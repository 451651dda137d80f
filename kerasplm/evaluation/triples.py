"""Score relations: subject, predicate and object.

    python -m kerasplm.evaluation.triples dev_data.json predictions.json

Both files are JSON lines with a "spo_list", in the same order. Scores are fractions.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Annotated, Any

import typer

from kerasplm.characters import CharRules, is_punctuation
from kerasplm.errors import DataError
from kerasplm.evaluation.reading import field, json_lines, run_command
from kerasplm.evaluation.score import Score, total

_RULES = CharRules()


def triple_scores(
    references: Sequence[Iterable[Any]],
    predictions: Sequence[Iterable[Any]],
    key: Callable[[Any], Hashable] | None = None,
) -> Score:
    """Score the triples of all texts together; each counts once in its text.

    Args:
        references: The triples of each text.
        predictions: The same.
        key: What of a triple must agree. Default: the triple itself. bert4keras
            compares the tokens of subject and object, so that case and spaces do not
            matter.

    Returns:
        Fractions: micro precision, recall and F1. (The originals begin their counts
        at 1e-10 against a division by zero.)

    Raises:
        DataError: Not as many predictions as references.

    Example:
        >>> gold, found = [[("A1", "作者", "张三")]], [[("a1", "作者", "张三")]]
        >>> triple_scores(gold, found).f1
        0.0
        >>> triple_scores(gold, found, key=lambda t: tuple(map(str.lower, t))).f1
        1.0

    Source:
        bojone/bert4keras, examples/task_relation_extraction.py, ``evaluate``;
        ZhuiyiTechnology/pretrained-models, task_lic2019_ie.
    """
    if len(references) != len(predictions):
        raise DataError(
            f"expected predictions for {len(references)} texts, found "
            f"{len(predictions)}"
        )
    return total(
        Score(len(expected & found), len(found), len(expected))
        for expected, found in (
            tuple(
                set(triples) if key is None else set(map(key, triples))
                for triples in pair
            )
            for pair in zip(references, predictions, strict=True)
        )
    )


def without_case_and_spaces(triple: Sequence[str]) -> tuple[str, ...]:
    """Return a triple as it is compared where case and spaces do not matter.

    Args:
        triple: Subject, predicate, object.

    Returns:
        Predicate, subject and object, the last two in lower case and without white
        space: a `key` of `triple_scores` that needs no tokenizer.

    Example:
        >>> without_case_and_spaces(("Big Bang", "作者", "张 三"))
        ('作者', 'bigbang', '张三')

    Source:
        What bojone/bert4keras, examples/task_relation_extraction.py, class ``SPO``
        does with the tokens of an uncased vocabulary, approximately: unknown tokens
        are equal there.
    """
    subject, predicate, object_ = triple
    ends = ("".join(part.lower().split()) for part in (subject, object_))
    return predicate, *ends


def by_words(triple: Sequence[str]) -> tuple[Any, ...]:
    """Return a triple as it is compared by its tokens, without a vocabulary.

    Args:
        triple: Subject, predicate, object.

    Returns:
        Predicate, and the words of subject and object as BERT's uncased tokenizer
        cuts them: a `key` of `triple_scores`. Two texts of the same words have the
        same tokens, and only unknown tokens can make others equal.

    Example:
        >>> by_words(("Big Bang", "作者", "张 三"))
        ('作者', ('big', 'bang'), ('张', '三'))

    Source:
        bojone/bert4keras, examples/task_relation_extraction.py, class ``SPO``.
    """
    subject, predicate, object_ = triple
    return predicate, _words(subject), _words(object_)


def _words(text: str) -> tuple[str, ...]:
    chars, _ = _RULES.normalize(*_RULES.clean(text))
    spelled = (f" {char} " if is_punctuation(char) else char for char in chars)
    return tuple("".join(spelled).split())


def main(
    references: Annotated[str, typer.Argument(help="LIC2019 file (JSON lines).")],
    predictions: Annotated[str, typer.Argument(help="Predictions in its order.")],
    tolerant: Annotated[
        bool, typer.Option(help="Case and spaces do not matter.")
    ] = False,
) -> None:
    """Print micro precision, recall and F1 as JSON."""
    expected, found = (
        [_triples(line, place) for place, line in json_lines(path)]
        for path in (references, predictions)
    )
    if len(expected) != len(found):
        raise DataError(
            f"{predictions}: expected {len(expected)} lines, as {references} has, "
            f"found {len(found)}"
        )
    key = without_case_and_spaces if tolerant else None
    typer.echo(json.dumps(triple_scores(expected, found, key).to_dict()))


def _triples(line: dict[str, Any], place: str) -> list[tuple[str, str, str]]:
    triples = []
    for number, spo in enumerate(field(line, "spo_list", list, place), 1):
        where = f"{place}: triple {number}"
        subject, predicate, object_ = (
            field(spo, name, str, where) for name in ("subject", "predicate", "object")
        )
        triples.append((subject, predicate, object_))
    return triples


if __name__ == "__main__":
    run_command(main)
