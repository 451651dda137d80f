r"""Score answers in English: SQuAD 1.1, and 2.0 with questions that have no answer.

    python -m kerasplm.evaluation.squad dev.json predictions.json
    python -m kerasplm.evaluation.squad --version 2 --no-answer na_prob.json \
        dev.json predictions.json

All scores are percent. Words are what spaces separate, so that a Chinese answer is one
word: for Chinese use `kerasplm.evaluation.cmrc`.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from kerasplm.errors import DataError
from kerasplm.evaluation.reading import read_predictions, read_references, run_command

_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized_answer(text: str) -> str:
    """Return a text in lower case without ASCII punctuation, articles, extra spaces.

    Args:
        text: Any text.

    Returns:
        The text that is compared.

    Example:
        >>> normalized_answer("The  Great Wall's end.")
        'great walls end'

    Source:
        SQuAD evaluate-v1.1.py and evaluate-v2.0.py, ``normalize_answer``.
    """
    return " ".join(
        _ARTICLES.sub(" ", text.lower().translate(_DROP_PUNCTUATION)).split()
    )


def squad_em(references: Sequence[str], prediction: str) -> int:
    """Return whether an answer equals one of its references after normalisation.

    Args:
        references: One or more right answers.
        prediction: The answer.

    Returns:
        1 or 0.

    Raises:
        DataError: There is no reference.

    Example:
        >>> squad_em(["Denver Broncos"], "the Denver Broncos!")
        1

    Source:
        SQuAD evaluate-v1.1.py, ``exact_match_score``.
    """
    _check_references(references)
    return int(normalized_answer(prediction) in map(normalized_answer, references))


def squad_f1(
    references: Sequence[str], prediction: str, both_empty: float = 0.0
) -> float:
    """Return the best F1 of the words of an answer over its references.

    Args:
        references: One or more right answers.
        prediction: The answer.
        both_empty: Score where answer and reference have no words: 0 in version 1.1,
            1 in version 2.0.

    Returns:
        A fraction, 0 to 1.

    Raises:
        DataError: There is no reference.

    Example:
        >>> squad_f1(["Denver Broncos"], "Denver")
        0.6666666666666666

    Source:
        SQuAD evaluate-v1.1.py, ``f1_score``; evaluate-v2.0.py, ``compute_f1``.
    """
    _check_references(references)
    found = normalized_answer(prediction).split()
    best = 0.0
    for reference in references:
        expected = normalized_answer(reference).split()
        if common := (Counter(found) & Counter(expected)).total():
            precision, recall = common / len(found), common / len(expected)
            best = max(best, 2 * precision * recall / (precision + recall))
        elif not found and not expected:
            best = max(best, both_empty)
    return best


def squad_scores(
    references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]
) -> dict[str, float]:
    """Score the answers to all questions of SQuAD 1.1; also what ELECTRA reports.

    Args:
        references: The right answers of each question.
        predictions: The answer to each question; a question without one scores 0.

    Returns:
        "exact_match" and "f1", percent.

    Raises:
        DataError: There are no questions, or one has no reference.

    Example:
        >>> squad_scores({"a": ["blue"], "b": ["red"]}, {"a": "Blue."})
        {'exact_match': 50.0, 'f1': 50.0}

    Source:
        SQuAD evaluate-v1.1.py; ymcui/Chinese-ELECTRA,
        finetune/qa/squad_official_eval_v1.py.
    """
    _check_questions(references)
    answered = [question for question in references if question in predictions]
    pairs = [(references[question], predictions[question]) for question in answered]
    return {
        "exact_match": 100.0 * sum(squad_em(*pair) for pair in pairs) / len(references),
        "f1": 100.0 * sum(squad_f1(*pair) for pair in pairs) / len(references),
    }


def squad2_scores(
    references: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    no_answer: Mapping[str, float] | None = None,
    threshold: float = 1.0,
) -> dict[str, float]:
    """Score the answers to all questions of SQuAD 2.0.

    Args:
        references: The right answers of each question; none where there is no answer.
        predictions: The answer to each question, "" for none.
        no_answer: How sure the model is that each question has no answer.
        threshold: Above it the answer counts as "", whatever was predicted.

    Returns:
        "exact", "f1" (percent) and "total"; the same with "HasAns_" and "NoAns_" for
        the questions of each kind, if any; with `no_answer` "best_exact" and "best_f1"
        (percent) and the thresholds that give them ("..._thresh").

    Raises:
        DataError: A question has no prediction or no entry in `no_answer`.

    Example:
        >>> scores = squad2_scores({"a": ["blue"], "b": []}, {"a": "blue", "b": "red"})
        >>> scores["exact"], scores["NoAns_f1"]
        (50.0, 0.0)

    Source:
        SQuAD evaluate-v2.0.py; google-research/electra, finetune/qa/
        squad_official_eval.py.
    """
    _check_questions(references)
    _check_all(references, predictions, "expected a prediction")
    sure = dict.fromkeys(predictions, 0.0) if no_answer is None else no_answer
    _check_all(references, sure, "expected a probability of no answer")
    exact, f1 = {}, {}
    for question, answers in references.items():
        # An answer without words is no answer.
        right = [text for text in answers if normalized_answer(text)] or [""]
        exact[question] = float(squad_em(right, predictions[question]))
        f1[question] = squad_f1(right, predictions[question], both_empty=1.0)
    scores: dict[str, float] = {}
    kinds = {
        "": list(references),
        "HasAns_": [question for question in references if references[question]],
        "NoAns_": [question for question in references if not references[question]],
    }
    for prefix, questions in kinds.items():
        if questions:
            for name, raw in (("exact", exact), ("f1", f1)):
                points = (
                    float(not references[question])
                    if sure[question] > threshold
                    else raw[question]
                    for question in questions
                )
                scores[prefix + name] = 100.0 * sum(points) / len(questions)
            scores[prefix + "total"] = len(questions)
    if no_answer is not None:
        for name, raw in (("exact", exact), ("f1", f1)):
            best, at = best_threshold(references, predictions, raw, no_answer)
            scores[f"best_{name}"], scores[f"best_{name}_thresh"] = best, at
    return scores


def best_threshold(
    references: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    points: Mapping[str, float],
    no_answer: Mapping[str, float],
) -> tuple[float, float]:
    """Search the threshold on the no-answer score that gives the best total.

    Args:
        references: The right answers of each question; none where there is no answer.
        predictions: The answer to each question.
        points: What each answer scores, 0 to 1.
        no_answer: How sure the model is that each question has no answer. Of equal
            ones the first counts first, as in the original.

    Returns:
        The best score in percent, and the threshold up to which answers are given; 0.0
        if none is.

    Example:
        >>> asked = {"a": ["blue"], "b": []}
        >>> found = {"a": "blue", "b": "red"}
        >>> best_threshold(asked, found, {"a": 1.0, "b": 0.0}, {"a": 0.2, "b": 0.9})
        (100.0, 0.2)

    Source:
        SQuAD evaluate-v2.0.py, ``find_best_thresh``.
    """
    # Begin with an answer to nothing, then answer the least doubtful question, ...
    total: float = sum(not answers for answers in references.values())
    best, threshold = total, 0.0
    for question in sorted(no_answer, key=lambda name: no_answer[name]):
        if question not in points:
            continue
        if references[question]:
            total += points[question]
        elif predictions[question]:
            total -= 1
        if total > best:
            best, threshold = total, no_answer[question]
    return 100.0 * best / len(points), threshold


def _check_references(references: Sequence[str]) -> None:
    if not references or isinstance(references, str):
        raise DataError(f"expected a list of references, found {references!r}")


def _check_questions(references: Mapping[str, Any]) -> None:
    if not references:
        raise DataError("expected questions with references, found none")


def _check_all(questions: Iterable[str], given: Mapping[str, Any], what: str) -> None:
    if missing := [question for question in questions if question not in given]:
        raise DataError(
            f"{what} for every question, found none for "
            f"{missing[0]!r}" + (f" and {len(missing) - 1} more" * (len(missing) > 1))
        )


def main(
    references: Annotated[str, typer.Argument(help="Official data file (JSON).")],
    predictions: Annotated[str, typer.Argument(help="Answers, JSON {id: text}.")],
    version: Annotated[Literal["1", "2"], typer.Option(help="Of SQuAD.")] = "1",
    no_answer: Annotated[
        str | None, typer.Option(help="Probabilities of no answer, JSON {id: number}.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Above it a question counts as without answer.")
    ] = 1.0,
) -> None:
    """Print the official scores as JSON."""
    expected = read_references(references, unanswerable=version == "2")
    found = read_predictions(predictions)
    if version == "1":
        typer.echo(json.dumps(squad_scores(expected, found)))
        return
    _check_all(expected, found, f"{predictions}: expected a prediction")
    sure = None
    if no_answer is not None:
        sure = read_predictions(no_answer, float)
        _check_all(expected, sure, f"{no_answer}: expected a probability")
    typer.echo(json.dumps(squad2_scores(expected, found, sure, threshold), indent=2))


if __name__ == "__main__":
    run_command(main)
