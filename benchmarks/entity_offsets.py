"""Encode and decode every entity of real data: is its surface exactly the original?

    python -m benchmarks.entity_offsets --data DIR [--length 128] [--pieces]

DIR holds the folders cluener2020 and weibo_ner and, in vocab/, a vocabulary of BERT.
A perfect model is put in place of the network: its scores are those of the targets.
What `Kind.features` and `Kind.predictions` do between file and answer is real. The
table tells for each decoder how many entities come back with their exact characters;
below it stands every one that does not, with the reason. The exit status is 1 if less
than 99.8 % come back.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kerasplm.python_tokenizer import PythonTokenizer
from kerasplm.reporting import print_table
from kerasplm.task_models.tagging import DECODERS, POINTERS, tags_of_types
from kerasplm.tasks import TASKS, Settings, Task
from kerasplm.tasks.entity_tokens import OVERLAPPING, CharacterTokenizer, learnable
from kerasplm.tasks.features import Features
from kerasplm.tasks.rows import Entity, EntityRow

DATA = {"cluener": "cluener2020", "weibo_ner": "weibo_ner"}
SPLITS = ("train", "dev")
_BATCH = 64
_SURE = 10.0


def perfect(task: Task, features: Features, chosen: Any, settings: Settings) -> Any:
    """Return the outputs of a model that knows the targets."""
    _, targets = features.batch(chosen)
    options = settings.options
    if options.decoder not in POINTERS:
        count = len(tags_of_types(task.labels, options.scheme))
        logits = np.eye(count, dtype="float32")[targets] * _SURE
        table = np.zeros((len(chosen), count, count), "float32")
        chain = {"transitions": table} if options.decoder == "crf" else {}
        return {"logits": logits, **chain}
    length = int(features.lengths[chosen].max())
    shape = (len(chosen), len(task.labels), length, length)
    scores = np.full(shape, -_SURE, "float32")
    for n, kind in np.ndindex(shape[:2]):
        for first, last in targets[n, kind]:
            if last:  # (0, 0) fills up
                scores[n, kind, first, last] = _SURE
    return {"scores": scores}


def decoded(task: Task, rows: Any, tokenizer: Any, settings: Settings) -> list[Any]:
    """Send rows through features, a perfect model and predictions."""
    features = task.features(rows, tokenizer, settings)
    found = []
    for start in range(0, len(features), _BATCH):
        chosen = np.arange(start, min(start + _BATCH, len(features)))
        outputs = perfect(task, features, chosen, settings)
        found += task.engine.found(task, features, chosen, outputs, settings)
    return task.engine.predictions(task, rows, features, found, settings)


def why(row: EntityRow, entity: Entity, tokenizer: Any, settings: Settings) -> str:
    """Return the reason for which an entity does not come back."""
    tokens = CharacterTokenizer(tokenizer) if settings.options.characters else tokenizer
    _, spans = tokens.tokenize_offsets(row.text)
    found, inexact = learnable([entity], spans, nested=True)
    if inexact:
        return ", ".join(inexact)
    nested = settings.options.decoder in POINTERS
    kept, _ = learnable(row.entities or (), spans, nested)
    return "longer than the overlap of windows" if found[0] in kept else OVERLAPPING


def main() -> int:
    """Print the table and the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--pieces", action="store_true", help="WordPiece tokens")
    args = parser.parse_args()
    vocab = sorted((args.data / "vocab").glob("*.txt"))[0]
    tokenizer = PythonTokenizer(str(vocab))
    table, rest, worst = [], [], 1.0
    for name, folder in DATA.items():
        task = TASKS[name]
        for split in SPLITS:
            rows = task.rows(args.data / folder, split).rows
            for decoder in DECODERS:
                settings = task.settings(
                    decoder=decoder,
                    characters=not args.pieces,
                    max_length=args.length,
                    stride=(args.length - 2) // 2,
                )
                exact = total = 0
                for row, found in zip(
                    rows, decoded(task, rows, tokenizer, settings), strict=True
                ):
                    lost = set(row.entities) - set(found.entities)
                    extra = set(found.entities) - set(row.entities)
                    total += len(set(row.entities))
                    exact += len(set(row.entities)) - len(lost)
                    for e in sorted(lost):
                        surface = row.text[e.start : e.end]
                        reason = why(row, e, tokenizer, settings)
                        rest.append((name, split, decoder, surface, e.type, reason))
                    # Of an entity that is widened another one comes back.
                    if len(extra) > len(lost):
                        rest.append((name, split, decoder, row.text, "", "invented"))
                worst = min(worst, exact / total)
                share = f"{100 * exact / total:.3f}"
                table.append((name, split, decoder, len(rows), total, exact, share))
    header = ("task", "split", "decoder", "rows", "entities", "exact", "%")
    kind = "pieces" if args.pieces else "characters"
    print_table(f"Entities that come back exactly ({kind})", header, table)
    header = ("task", "split", "decoder", "entity", "type", "reason")
    print_table("The others", header, rest)
    return int(worst < 0.998)


if __name__ == "__main__":
    sys.exit(main())
