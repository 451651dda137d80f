"""How fast are pipelines, and do graphs or memory grow with the calls?

    pip install torch transformers    # for the comparison; optional
    python -m benchmarks.pipeline [--calls 20000] [--repeats 5] [--layers 4] ...

Makes a pair of equal models with random weights, a classifier and one for [MASK], and
calls their pipelines with batches and texts of mixed sizes; the classifier is also
exported, and the SavedModel gets the same calls. Where transformers is
installed, its pipelines take the same texts with the same weights, batch size and
threads; texts are sorted by length for both.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import kerasplm as plm
from kerasplm.benchmarking.memory import reset, resident
from kerasplm.demo import MODEL
from kerasplm.reporting import print_table


def texts(words: list[str], count: int, longest: int) -> list[str]:
    """Return texts of mixed lengths."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, longest + 1, count)
    return ["".join(rng.choice(words, size)) for size in sizes]


def functions() -> int:
    """Return how many graphs TensorFlow's runtime holds as functions."""
    from tensorflow.python.eager import context

    return len(context.context().list_function_names())


def calls(items: list[str], count: int) -> Iterator[Any]:
    """Yield what single calls get: a text, or up to 16."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        size = int(rng.integers(1, 17))
        start = int(rng.integers(len(items) - size))
        yield items[start] if size == 1 else items[start : start + size]


def growth(
    ask: Callable[[Any], Any],
    graphs: Callable[[], int],
    items: list[str],
    count: int,
) -> dict[str, Any]:
    """Call a model many times; the first tenth only fills its caches.

    What the process holds has free memory of the allocator in it, which comes and goes.
    It is given back before the first and the last look: "+MiB in use" is without it.

    Args:
        ask: Takes a text, or a list of them.
        graphs: How many graphs were traced so far.
        items: The texts.
        count: Calls.
    """
    begin = time.perf_counter()
    for n, one in enumerate(calls(items, count)):
        if n == count // 10:
            reset()
            before, traces = resident(), graphs()
        if n == count // 2:
            half = resident()
        ask(one)
    seconds = time.perf_counter() - begin
    end = resident()
    reset()
    return {
        "calls": count,
        "graphs": graphs(),
        "new graphs": graphs() - traces,
        "+MiB to half": round(half - before, 1),
        "+MiB to the end": round(end - half, 1),
        "+MiB in use": round(resident() - before, 1),
        "ms per call": round(1000 * seconds / count, 2),
    }


def speed(asks: list[Any], items: list[str], repeats: int) -> list[tuple[Any, ...]]:
    """Return for each function the medians of ms for one text and of texts per second.

    They take turns, so that a busy machine slows all of them.
    """
    single: list[list[float]] = [[] for _ in asks]
    many: list[list[float]] = [[] for _ in asks]
    for ask in asks:
        ask(items[:40])
    for _ in range(repeats):
        for n, ask in enumerate(asks):
            begin = time.perf_counter()
            for text in items[:30]:
                ask(text)
            single[n].append(1000 * (time.perf_counter() - begin) / 30)
            begin = time.perf_counter()
            ask(items)
            many[n].append(len(items) / (time.perf_counter() - begin))
    median = statistics.median
    pairs = zip(single, many, strict=True)
    return [(round(median(a), 2), round(median(b), 1)) for a, b in pairs]


def difference(task: str, ours: list[Any], others: list[Any]) -> float:
    """Return the largest difference of the best scores."""
    if task == "fill-mask":
        ours = [answer["masks"][0]["candidates"][0] for answer in ours]
        others = [candidates[0] for candidates in others]
    pairs = zip(ours, others, strict=True)
    return max(abs(a["score"] - b["score"]) for a, b in pairs)


def sorted_by_length(ask: Callable[..., Any], batch: int) -> Callable[[Any], Any]:
    """Return a pipeline of transformers that sorts its texts as ours does."""

    def call(given: Any) -> Any:
        if isinstance(given, str):
            return ask(given)
        order = sorted(range(len(given)), key=lambda n: len(given[n]))
        found = ask([given[n] for n in order], batch_size=batch)
        return [found[order.index(n)] for n in range(len(given))]

    return call


def theirs(model: Any, task: str, vocab: list[str], threads: int) -> Any:
    """Return the pipeline of transformers with the same weights, or None."""
    try:
        import torch
        import transformers
    except ImportError:
        return None
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        plm.save_huggingface(model, folder)
        (Path(folder) / "vocab.txt").write_text("\n".join(vocab) + "\n", "utf-8")
        tokenizer = transformers.BertTokenizerFast(str(Path(folder) / "vocab.txt"))
        name = {
            "text-classification": "BertForSequenceClassification",
            "fill-mask": "BertForMaskedLM",
        }[task]
        network = getattr(transformers, name).from_pretrained(folder).eval()
    return transformers.pipeline(task, network, tokenizer=tokenizer, device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--longest", type=int, default=100)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=312)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(chosen.threads)
    tf.config.threading.set_inter_op_parallelism_threads(chosen.threads)
    keras.utils.set_random_seed(0)
    tokenizer = plm.load_tokenizer(MODEL, in_graph=False)
    config = plm.Config(
        vocab_size=len(tokenizer.vocab),
        hidden_size=chosen.hidden,
        num_hidden_layers=chosen.layers,
        num_attention_heads=chosen.hidden // 26 if chosen.hidden == 312 else 12,
        intermediate_size=4 * chosen.hidden,
    )
    words = [w for w in tokenizer.vocab if len(w) == 1 and w > "\u4e00"]
    items = texts(words, chosen.texts, chosen.longest)
    encoder = plm.Encoder(config, family="bert")
    models = {
        "text-classification": plm.Classifier(encoder, ["0", "1"]),
        "fill-mask": plm.PretrainedModel(encoder, ["mlm"]),
    }
    many, rows = [], []
    for task, model in models.items():
        given = [f"{t}[MASK]" for t in items] if task == "fill-mask" else items
        ask = plm.pipeline(task, model, tokenizer, batch_size=chosen.batch)
        other = theirs(model, task, tokenizer.vocab, chosen.threads)
        if other is None:
            rows.append((task, "kerasplm", *speed([ask], given, chosen.repeats)[0], ""))
        else:
            call = sorted_by_length(other, chosen.batch)
            delta = difference(task, ask(given), call(given))
            ours, found = speed([ask, call], given, chosen.repeats)
            ratio = f"{found[0] / ours[0]:.2f}x, {ours[1] / found[1]:.2f}x"
            rows.append((task, "kerasplm", *ours, ratio))
            rows.append((task, "transformers", *found, f"scores |Δ| {delta:.1g}"))
        grown = growth(ask, lambda ask=ask: ask.traces, given, chosen.calls)
        many.append({"model": f"pipeline, {task}", **grown})
    with tempfile.TemporaryDirectory() as folder:
        served_by = plm.load_tokenizer(MODEL)
        plm.export(models["text-classification"], served_by, folder)
        served = tf.saved_model.load(folder)
    answer = served.signatures["serving_default"]

    def serve(given: Any) -> Any:
        return answer(text=tf.constant([given] if isinstance(given, str) else given))

    grown = growth(serve, functions, items, chosen.calls)
    many.append({"model": "SavedModel", **grown})
    columns = ("pipeline", "library", "ms for one text", "texts/s", "kerasplm faster")
    print_table(f"medians of {chosen.repeats}", columns, rows)
    table = [tuple(row.values()) for row in many]
    print_table("calls of 1 to 16 texts", tuple(many[0]), table)


if __name__ == "__main__":
    main()
