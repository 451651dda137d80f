"""The data creator of roberta_zh, acted out step by step in plain Python.

    python -m benchmarks.pretraining_original TEXT VOCAB COPIES OUTPUT

What the original does, it does in the same way, and nothing is remembered: text is
cleaned, searched for ideographs, freed of accents and cut at punctuation character by
character, each in a pass of its own; WordPiece tries every end of a word; jieba cuts
every chunk of every copy, and a pattern is searched in every token; masks are drawn one
by one; lists are padded one number at a time and become one `tf.train.Feature` each.
All documents and instances are in memory. It is the same work: the records are those
of `kerasplm pretraining-data --compat roberta_zh`, which match the original's, and a
test compares them. The original needs TensorFlow 1 and a Python of that time, which is
slower than the one that runs this: the figures are in its favour.
"""

import collections
import random
import re
import sys
import unicodedata
from typing import Any

LENGTH, PREDICTIONS, PROBABILITY = 256, 23, 0.1
SEED = 12345

_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
_Instance = collections.namedtuple("_Instance", "tokens segments positions labels")
_Masked = collections.namedtuple("_Masked", "index label")


def is_space(char: str) -> bool:
    """Return whether a character separates words."""
    if char in (" ", "\t", "\n", "\r"):
        return True
    return unicodedata.category(char) == "Zs"


def is_control(char: str) -> bool:
    """Return whether a character is left out."""
    if char in ("\t", "\n", "\r"):
        return False
    return unicodedata.category(char) in ("Cc", "Cf")


def is_punctuation(char: str) -> bool:
    """Return whether a character is a word by itself."""
    code = ord(char)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(char).startswith("P")


def cleaned(text: str) -> str:
    """Take out what is invisible; one kind of space."""
    out = []
    for char in text:
        code = ord(char)
        if code == 0 or code == 0xFFFD or is_control(char):
            continue
        out.append(" " if is_space(char) else char)
    return "".join(out)


def spaced(text: str) -> str:
    """Put spaces around ideographs."""
    out = []
    for char in text:
        code = ord(char)
        if any(low <= code <= high for low, high in _IDEOGRAPHS):
            out.append(" ")
            out.append(char)
            out.append(" ")
        else:
            out.append(char)
    return "".join(out)


def without_accents(text: str) -> str:
    """Take out the marks of letters."""
    out = []
    for char in unicodedata.normalize("NFD", text):
        if unicodedata.category(char) == "Mn":
            continue
        out.append(char)
    return "".join(out)


def at_punctuation(text: str) -> list[str]:
    """Cut a word before and after punctuation."""
    out: list[list[str]] = []
    new = True
    for char in text:
        if is_punctuation(char):
            out.append([char])
            new = True
        else:
            if new:
                out.append([])
            new = False
            out[-1].append(char)
    return ["".join(part) for part in out]


def pieces(word: str, vocab: dict[str, int]) -> list[str]:
    """Return the longest pieces from the left."""
    chars = list(word)
    if len(chars) > 200:
        return ["[UNK]"]
    out = []
    start = 0
    while start < len(chars):
        end = len(chars)
        found = None
        while start < end:
            part = "".join(chars[start:end])
            if start > 0:
                part = "##" + part
            if part in vocab:
                found = part
                break
            end -= 1
        if found is None:
            return ["[UNK]"]
        out.append(found)
        start = end
    return out


def tokenized(text: str, vocab: dict[str, int]) -> list[str]:
    """Return the tokens of a line."""
    words: list[str] = []
    for word in spaced(cleaned(text)).strip().split():
        words.extend(at_punctuation(without_accents(word.lower())))
    out = []
    for word in " ".join(words).strip().split():
        for piece in pieces(word, vocab):
            out.append(piece)
    return out


def read(text: str, vocab: dict[str, int], rng: random.Random) -> list[Any]:
    """Return all documents."""
    documents: list[list[list[str]]] = [[]]
    with open(text, "rb") as stream:
        for raw in stream:
            line = raw.decode("utf-8", "ignore").replace("<eop>", "").strip()
            if not line:
                documents.append([])
            tokens = tokenized(line, vocab)
            if tokens:
                documents[-1].append(tokens)
    documents = [document for document in documents if document]
    rng.shuffle(documents)
    return documents


def chunks(document: list[list[str]]) -> list[list[str]]:
    """Return full texts of whole sentences."""
    room = LENGTH - 2
    document = [sentence for sentence in document if len(sentence) < room]
    out = []
    chunk: list[list[str]] = []
    size = at = 0
    while at < len(document):
        if size + len(document[at]) <= room:
            chunk.append(document[at])
            size += len(document[at])
            at += 1
        else:
            out.append(chunk)
            chunk, size = [], 0
    if size > room / 2:
        out.append(chunk)
    joined = []
    for chunk in out:
        tokens: list[str] = []
        for sentence in chunk:
            tokens.extend(sentence)
        joined.append(tokens)
    return joined


def marked(tokens: list[str]) -> list[str]:
    """Put ## before the later characters of words."""
    import jieba

    words = set(jieba.lcut("".join(tokens)))
    out = []
    at = 0
    while at < len(tokens):
        if len(re.findall("[\u4e00-\u9fa5]", tokens[at])) == 0:
            out.append(tokens[at])
            at += 1
            continue
        found = False
        for size in range(3, 0, -1):
            if at + size > len(tokens):
                continue
            if "".join(tokens[at : at + size]) in words:
                out.append(tokens[at])
                for more in range(1, size):
                    out.append("##" + tokens[at + more])
                at += size
                found = True
                break
        if not found:
            out.append(tokens[at])
            at += 1
    return out


def instance(chunk: list[str], words: list[str], rng: random.Random) -> _Instance:
    """Mask one text."""
    tokens = ["[CLS]"]
    segments = [0]
    for token in marked(chunk):
        tokens.append(token)
        segments.append(0)
    tokens.append("[SEP]")
    segments.append(0)
    sets: list[list[int]] = []
    for at, token in enumerate(tokens):
        if token in ("[CLS]", "[SEP]"):
            continue
        if len(sets) >= 1 and token.startswith("##"):
            sets[-1].append(at)
        else:
            sets.append([at])
    rng.shuffle(sets)
    out = [
        token[2:] if len(re.findall("##[\u4e00-\u9fa5]", token)) > 0 else token
        for token in tokens
    ]
    most = min(PREDICTIONS, max(1, round(len(tokens) * PROBABILITY)))
    masked: list[_Masked] = []
    covered = set()
    for some in sets:
        if len(masked) >= most:
            break
        if len(masked) + len(some) > most:
            continue
        if any(at in covered for at in some):
            continue
        for at in some:
            covered.add(at)
            if rng.random() < 0.8:
                new = "[MASK]"
            elif rng.random() < 0.5:
                token = tokens[at]
                hit = len(re.findall("##[\u4e00-\u9fa5]", token)) > 0
                new = token[2:] if hit else token
            else:
                new = words[rng.randint(0, len(words) - 1)]
            out[at] = new
            masked.append(_Masked(at, tokens[at]))
    masked = sorted(masked, key=lambda one: one.index)
    positions = [one.index for one in masked]
    return _Instance(out, segments, positions, [one.label for one in masked])


def integers(values: list[int]) -> Any:
    """Return a feature of integers."""
    import tensorflow as tf

    return tf.train.Feature(int64_list=tf.train.Int64List(value=list(values)))


def numbers(values: list[float]) -> Any:
    """Return a feature of floats."""
    import tensorflow as tf

    return tf.train.Feature(float_list=tf.train.FloatList(value=list(values)))


def example(made: _Instance, vocab: dict[str, int]) -> Any:
    """Return the record of an instance."""
    import tensorflow as tf

    ids = [vocab[token] for token in made.tokens]
    mask = [1] * len(ids)
    segments = list(made.segments)
    while len(ids) < LENGTH:
        ids.append(0)
        mask.append(0)
        segments.append(0)
    positions = list(made.positions)
    labels = [vocab[token] for token in made.labels]
    weights = [1.0] * len(labels)
    while len(positions) < PREDICTIONS:
        positions.append(0)
        labels.append(0)
        weights.append(0.0)
    features = collections.OrderedDict()
    features["input_ids"] = integers(ids)
    features["input_mask"] = integers(mask)
    features["segment_ids"] = integers(segments)
    features["masked_lm_positions"] = integers(positions)
    features["masked_lm_ids"] = integers(labels)
    features["masked_lm_weights"] = numbers(weights)
    features["next_sentence_labels"] = integers([1])
    return tf.train.Example(features=tf.train.Features(feature=features))


def main(text: str, vocab: str, copies: str, output: str) -> None:
    """Write the records of a text."""
    import tensorflow as tf

    tokens: dict[str, int] = collections.OrderedDict()
    with open(vocab, encoding="utf-8") as stream:
        for line in stream:
            tokens[line.strip()] = len(tokens)
    rng, words = random.Random(SEED), list(tokens)
    documents = read(text, tokens, rng)
    made = []
    for _ in range(int(copies)):
        for document in documents:
            for chunk in chunks(document):
                made.append(instance(chunk, words, rng))
    rng.shuffle(made)
    with tf.io.TFRecordWriter(output) as writer:
        for one in made:
            writer.write(example(one, tokens).SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
