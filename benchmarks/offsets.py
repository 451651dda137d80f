"""Encode every answer as targets, decode perfect scores, and compare the surfaces.

    python -m benchmarks.offsets --data DIR [--vocab vocab.txt]

DIR holds folders of data sets, as named in `READING`; what is missing is told and left
out. Every reference answer goes the whole way: question and passage to windows of
tokens, the answer to target positions, scores that are highest there to candidates,
and the candidates of all windows to a text. The text must be the answer to the letter.
What is not is listed with the reason. The exit status is 1 if something was lost
without one.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kerasplm.errors import DataError
from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.tasks import TASKS, Task
from kerasplm.tasks.features import Features
from kerasplm.tasks.kinds.span_features import SpanTargets
from kerasplm.tasks.rows import QuestionRow

# Folder to task and splits.
READING = {
    "cmrc2018_clue": ("cmrc2018", ("train", "dev", "trial")),
    "drcd": ("drcd", ("train", "dev", "test")),
}
# So long that the limit of an answer's length plays no part.
LONGEST = 512
UNKNOWN = "not in the passage"
PIECE = "begins or ends inside of a word piece"
SPACE = "begins or ends with a character that is no token"
CUT = "no window holds all of it"
LOST = "lost"


def single(rows: Sequence[QuestionRow]) -> Iterator[QuestionRow]:
    """Yield one row for each reference answer."""
    for row in rows:
        for n, answer in enumerate(dict.fromkeys(row.answers or ())):
            yield dataclasses.replace(row, id=f"{row.id}#{n}", answers=(answer,))


def perfect(features: Features, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores (B, T) that are highest at the targets."""
    targets = features.targets
    assert isinstance(targets, SpanTargets)
    length = features.lengths[chosen].max()
    found = {}
    for name, at in (("start", targets.starts), ("end", targets.ends)):
        scores = np.zeros((len(chosen), length), "float32")
        # Where the answer is not, the first token says so; an unknown place nothing.
        scores[np.arange(len(chosen)), np.maximum(at[chosen], 0)] = 10.0 * (
            at[chosen] >= 0
        )
        found[f"{name}_logits"] = scores
    return found


def reason(row: QuestionRow, text: str, features: Features, owned: slice) -> str:
    """Return why an answer came back as another text."""
    (answer,) = row.answers or ()
    if answer.start < 0:
        return UNKNOWN
    assert isinstance(features.targets, SpanTargets)
    starts = features.targets.starts[owned]
    if (starts == -1).all():
        return SPACE
    if (starts <= 0).all():
        return CUT
    if len(text) > len(answer.text) and answer.text in text:
        return PIECE
    if text and text in answer.text:
        return SPACE
    return LOST


def check(
    task: Task, rows: list[QuestionRow], tokenizer: PythonTokenizer
) -> tuple[Counter[str], list[tuple[str, str, str, str]]]:
    """Return the number of answers by outcome, and what was not exact.

    Args:
        task: The task.
        rows: One answer each.
        tokenizer: The tokenizer.
    """
    settings = task.settings(max_answer_length=LONGEST)
    features = task.features(rows, tokenizer, settings)
    found = []
    for start in range(0, len(features), 256):
        chosen = np.arange(start, min(start + 256, len(features)))
        scores = perfect(features, chosen)
        found += task.engine.found(task, features, chosen, scores, settings)
    predictions = task.engine.predictions(task, rows, features, found, settings)
    first = np.searchsorted(features.owner, np.arange(len(rows) + 1))
    counts: Counter[str] = Counter()
    listed = []
    for n, (row, one) in enumerate(zip(rows, predictions, strict=True)):
        (answer,) = row.answers or ()
        same = one.text == answer.text and one.start == answer.start
        if same:
            counts["exact"] += 1
            continue
        owned = slice(int(first[n]), int(first[n + 1]))
        why = reason(row, one.text, features, owned)
        counts[why] += 1
        listed.append((why, row.id, answer.text, one.text if why != UNKNOWN else ""))
    return counts, listed


def main(arguments: Sequence[str] | None = None) -> int:
    """Check all data sets that are there; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, default=None)
    parser.add_argument("--show", type=int, default=10, help="lines for each reason")
    given = parser.parse_args(arguments)
    vocab = given.vocab or given.data / "vocab" / "bert_zh_21128.txt"
    tokenizer = PythonTokenizer(vocab)
    table, lost = [], 0
    for folder, (name, splits) in READING.items():
        for split in splits:
            try:
                rows = TASKS[name].rows(given.data / folder, split).rows
            except DataError as error:
                print(f"{folder} {split}: left out: {error}")
                continue
            counts, listed = check(TASKS[name], list(single(rows)), tokenizer)
            total, known = counts.total(), counts.total() - counts[UNKNOWN]
            share = 100.0 * counts["exact"] / known
            table.append((folder, split, total, known, f"{share:.3f}", dict(counts)))
            lost += counts[LOST] + counts[CUT]
            shown: Counter[str] = Counter()
            for why, row, answer, text in listed:
                shown[why] += 1
                if shown[why] <= given.show and why != UNKNOWN:
                    print(f"{split} {row}: {why}: {answer!r} came back as {text!r}")
    columns = ("data", "split", "answers", "in the passage", "% exact", "outcomes")
    print_table("answers that come back to the letter", columns, table)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
