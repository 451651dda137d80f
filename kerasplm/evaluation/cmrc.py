"""Score answers in Chinese: CMRC 2018 and DRCD; CJRC with --yes-no.

    python -m kerasplm.evaluation.cmrc dev.json predictions.json

F1 rests on the longest run of words that answer and reference share, EM on equality
without punctuation. All scores are percent.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import typer

from kerasplm.errors import DataError
from kerasplm.evaluation.latin import latin_words
from kerasplm.evaluation.reading import read_predictions, read_references, run_command

# 33 entries; the ellipsis is two characters and so equals none.
PUNCTUATION = (
    *"-:_*^/\\~`+=",
    *"，。：？！“”；’《》",
    "……",
    *"·、「」（）－～『』",
)
_SIGNS = frozenset(PUNCTUATION)


def mixed_segmentation(text: str, remove_punctuation: bool = False) -> list[str]:
    """Cut a text into ideographs, punctuation and Latin words.

    Args:
        text: Any text; it is lower-cased and stripped.
        remove_punctuation: Drop the signs of `PUNCTUATION` before cutting: the letters
            around one become one word.

    Returns:
        The segments.

    Example:
        >>> mixed_segmentation("用Python-3写。")
        ['用', 'python', '-', '3', '写', '。']
        >>> mixed_segmentation("用Python-3写。", remove_punctuation=True)
        ['用', 'python3', '写']

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``mixed_segmentation``.
    """
    segments: list[str] = []
    latin: list[str] = []
    for char in text.lower().strip():
        sign = char in _SIGNS
        if sign and remove_punctuation:
            continue
        if sign or "\u4e00" <= char <= "\u9fa5":
            if latin:
                segments += latin_words("".join(latin))
                latin = []
            segments.append(char)
        else:
            latin.append(char)
    return segments + latin_words("".join(latin))


def remove_punctuation(text: str) -> str:
    """Return the text lower-cased, stripped and without the signs of `PUNCTUATION`.

    Args:
        text: Any text.

    Returns:
        The text that is compared for an exact match.

    Example:
        >>> remove_punctuation(" 《Python》，第3版…… ")
        'python第3版……'

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``remove_punctuation``.
    """
    return "".join(char for char in text.lower().strip() if char not in _SIGNS)


def longest_common_run(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return the length of the longest run of items that both sequences hold.

    Args:
        one: Items.
        other: Items.

    Returns:
        Number of items; they stand next to each other in both sequences.

    Example:
        >>> longest_common_run("abcde", "xbcdx")
        3

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``find_lcs``; here searched as text, each
        distinct item being one character.
    """
    codes: dict[Hashable, str] = {}
    short, long = (
        "".join(codes.setdefault(item, chr(len(codes))) for item in items)
        for items in sorted((one, other), key=len)
    )
    length = 0
    for start in range(len(short)):
        while start + length < len(short) and short[start : start + length + 1] in long:
            length += 1
    return length


def cmrc_f1(references: Sequence[str], prediction: str) -> float:
    """Return the best F1 of an answer over its references.

    Args:
        references: One or more right answers.
        prediction: The answer.

    Returns:
        A fraction, 0 to 1.

    Raises:
        DataError: There is no reference.

    Example:
        >>> cmrc_f1(["北京大学"], "在北京大学")
        0.888888888888889

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``calc_f1_score``.
    """
    _check_references(references)
    segments = mixed_segmentation(prediction, remove_punctuation=True)
    best = 0.0
    for reference in dict.fromkeys(references):
        expected = mixed_segmentation(reference, remove_punctuation=True)
        if common := longest_common_run(expected, segments):
            precision, recall = common / len(segments), common / len(expected)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def cmrc_em(references: Sequence[str], prediction: str) -> int:
    """Return whether an answer equals one of its references without punctuation.

    Args:
        references: One or more right answers.
        prediction: The answer.

    Returns:
        1 or 0.

    Raises:
        DataError: There is no reference.

    Example:
        >>> cmrc_em(["《论语》"], "论语")
        1

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``calc_em_score``.
    """
    _check_references(references)
    return int(remove_punctuation(prediction) in map(remove_punctuation, references))


def cmrc_scores(
    references: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    yes_no: bool = False,
) -> dict[str, Any]:
    """Score the answers to all questions.

    Args:
        references: The right answers of each question.
        predictions: The answer to each question; a question without one scores 0,
            answers to other questions are ignored.
        yes_no: Score as for CJRC: a question without references has the answer "", and
            the questions answered "YES", "NO" and "" are counted by themselves.

    Returns:
        "AVERAGE" of F1 and EM, "F1", "EM": percent. With `yes_no` "YES", "NO", "UNK":
        percent of the references of that kind that are met exactly, left out where
        there are none. "TOTAL", "SKIP": questions, and those without an answer.

    Raises:
        DataError: There are no questions, or one has no reference.

    Example:
        >>> cmrc_scores({"a": ["长江"], "b": ["三"]}, {"a": "长江。"})["EM"]
        50.0

    Source:
        ymcui/cmrc2018, cmrc2018_evaluate.py, ``evaluate``; CLUEbenchmark/CLUE,
        mrc_pytorch/preprocess/cmrc2018_evaluate.py, ``evaluate2``.
    """
    if not references:
        raise DataError("expected questions with references, found none")
    f1 = em = 0.0
    hits: dict[str, list[bool]] = {"YES": [], "NO": [], "UNK": []}
    for question, answers in references.items():
        if question not in predictions:
            continue
        prediction = predictions[question]
        if not answers:
            if not yes_no:
                raise DataError(f"question {question}: expected a reference")
            answers = ("",)
            hits["UNK"].append(prediction == "")
        for answer in answers:
            if answer in ("YES", "NO"):
                hits[answer].append(prediction == answer)
        f1 += cmrc_f1(answers, prediction)
        em += cmrc_em(answers, prediction)
    scores: dict[str, Any] = {
        "F1": 100.0 * f1 / len(references),
        "EM": 100.0 * em / len(references),
    }
    scores = {"AVERAGE": (scores["EM"] + scores["F1"]) * 0.5, **scores}
    for kind, found in hits.items():
        if yes_no and found:
            scores[kind] = 100.0 * sum(found) / len(found)
    scores["TOTAL"] = len(references)
    scores["SKIP"] = sum(question not in predictions for question in references)
    return scores


def _check_references(references: Sequence[str]) -> None:
    if not references or isinstance(references, str):
        raise DataError(f"expected a list of references, found {references!r}")


def main(
    references: Annotated[str, typer.Argument(help="Official data file (JSON).")],
    predictions: Annotated[str, typer.Argument(help="Answers, JSON {id: text}.")],
    yes_no: Annotated[bool, typer.Option("--yes-no", help="As for CJRC.")] = False,
) -> None:
    """Print the official line of scores."""
    expected = read_references(references, unanswerable=yes_no)
    found = read_predictions(predictions)
    scores = cmrc_scores(expected, found, yes_no)
    if missing := [question for question in expected if question not in found]:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        typer.echo(f"{len(missing)} unanswered questions: {some}", err=True)
    line = {
        name: f"{value:.3f}" if isinstance(value, float) else value
        for name, value in scores.items()
    }
    typer.echo(json.dumps({**line, "FILE": predictions}))


if __name__ == "__main__":
    run_command(main)
