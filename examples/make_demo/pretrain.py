"""Pre-train the small BERT of the demo: `python -m examples.make_demo.pretrain`.

The text is generated (`examples.make_demo.corpus`). The vocabulary is its characters.
Objectives are masked tokens (20 %, of these 80 % [MASK], 10 % random, 10 % kept) and
next-sentence prediction (arXiv:1810.04805); the optimizer is the originals' AdamW.
Data and training are those of `kerasplm pretraining-data` and `kerasplm pretrain`;
the same command again goes on after a stop. Writes a checkpoint under TF1 names, its
configuration and vocabulary.
"""

import argparse
from collections import Counter
from pathlib import Path

import kerasplm as plm
from examples.make_demo.corpus import generate_corpus
from kerasplm.files import write_json, write_text
from kerasplm.pretraining.corpus import Masks
from kerasplm.pretraining.creating import create, shard_name
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.training_settings import Settings

OUTPUT = Path(plm.__file__).parent / "demo" / "data" / "model"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASCII = "0123456789abcdefghijklmnopqrstuvwxyz"
LENGTH, SHARDS = 64, 50
SHAPE = {
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 128,
    "initializer_range": 0.05,  # a narrow network starts faster from larger weights
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def make_vocab(text: str) -> list[str]:
    """Return special tokens, all characters by frequency, and pieces of Latin words."""
    counts = Counter(text.lower())
    characters = [c for c, n in counts.most_common() if n > 1 and not c.isspace()]
    rest = [c for c in ASCII if c not in characters]
    return [*SPECIAL, *characters, *rest, *(f"##{c}" for c in ASCII)]


def put(file: Path, text: str) -> Path:
    """Write a file, unless it is there already: a run that goes on knows its files."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)
    return file


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--work", type=Path, default=Path("demo_output/pretraining"))
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--sentences", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)

    # ----- text, vocabulary, configuration
    documents = generate_corpus(args.sentences, args.seed)
    text = "\n\n".join("\n".join(document) for document in documents) + "\n"
    vocab = make_vocab(text)
    corpus = put(args.work / "corpus.txt", text)
    vocab_file = put(args.work / "vocab.txt", "\n".join(vocab) + "\n")
    config = args.work / "config.json"
    write_json(config, {"vocab_size": len(vocab), **SHAPE})

    # ----- data
    tokenizer = plm.load_tokenizer(vocab_file, in_graph=False)
    choices = {"max_length": LENGTH, "dupe_factor": 10, "shards": SHARDS}
    data = args.work / "data"
    create([str(corpus)], data, tokenizer, DataSettings("nsp", **choices), show=True)
    files = [str(data / shard_name(n, SHARDS)) for n in range(SHARDS)]

    # ----- training
    result = plm.PretrainingJob(
        data=files[1:],
        eval_data=files[:1],
        output=args.work / "run",
        config=str(config),
        vocab=str(vocab_file),
        family="bert",
        objectives=("mlm", "nsp"),
        masks=Masks(mask_prob=0.2, max_predictions=13, whole_words=False),
        settings=Settings(
            steps=args.steps,
            batch_size=64,
            max_length=LENGTH,
            learning_rate=1.5e-3,
            beta_2=0.98,
            save_steps=2000,
            eval_batches=20,
            seed=args.seed,
        ),
    ).run()
    plm.save_checkpoint(result.model, args.output / "bert_model.ckpt")
    put(args.output / "vocab.txt", "\n".join(vocab) + "\n")


if __name__ == "__main__":
    main()
