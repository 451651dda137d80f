"""Score generated texts: Rouge-1, Rouge-2, Rouge-L and BLEU over characters.

The numbers are those of the packages `rouge` (1.0.1) and `nltk` (`sentence_bleu`,
smoothing method 1) as the scripts for Chinese titles call them: every character is a
word, letters are lower-cased. All scores are shares in [0, 1].
"""

import math
from collections import Counter
from collections.abc import Sequence

ROUGE = ("rouge_1", "rouge_2", "rouge_l")
_ORDER = 4  # the longest n-grams of BLEU
_SMOOTHING = 0.1  # what stands for no hit at all, in smoothing method 1
_EPSILON = 1e-8


def text_scores(prediction: str, references: Sequence[str]) -> dict[str, float]:
    """Compare one generated text with its references.

    Args:
        prediction: The text; an empty one, or one of blanks, scores 0.
        references: At least one. Each Rouge is that of the nearest reference; BLEU
            counts n-grams of all of them.

    Returns:
        `rouge_1`, `rouge_2`, `rouge_l` (F-values) and `bleu`.

    Raises:
        ValueError: There are no references.

    Example:
        >>> scores = text_scores("深度学习综述", ["深度学习的综述"])
        >>> round(scores["rouge_1"], 4), round(scores["bleu"], 4)
        (0.9231, 0.5115)

    Source: `Evaluate` of bojone/bert4keras examples/task_seq2seq_autotitle_csl.py and
    ZhuiyiTechnology/t5-pegasus finetune.py.
    """
    if not references:
        raise ValueError("expected references, found none")
    if not prediction.strip():
        return dict.fromkeys((*ROUGE, "bleu"), 0.0)
    each = [rouge(prediction, reference) for reference in references]
    best = {name: max(scores[name] for scores in each) for name in ROUGE}
    return best | {"bleu": bleu(prediction, references)}


def rouge(prediction: str, reference: str) -> dict[str, float]:
    """Return the F-values of Rouge-1, Rouge-2 and Rouge-L.

    A full stop "." ends a sentence. N-grams count once, however often they occur.
    Rouge-L counts the different words that lie on a longest common subsequence of any
    two sentences.

    Args:
        prediction: The generated text.
        reference: What it should be.

    Returns:
        `rouge_1`, `rouge_2`, `rouge_l`; 0 where one of the texts has no words.

    Example:
        >>> round(rouge("北京天气", "北京的天气")["rouge_2"], 4)
        0.5714

    Source: pltrdy/rouge 1.0.1, rouge_score.py: `rouge_n`, `rouge_l_summary_level`.
    """
    ours, theirs = _sentences(prediction), _sentences(reference)
    if not ours or not theirs:
        return dict.fromkeys(ROUGE, 0.0)
    found = {}
    for n in (1, 2):
        one, other = _ngrams(sum(ours, []), n), _ngrams(sum(theirs, []), n)
        hits = len(one.keys() & other.keys())
        found[f"rouge_{n}"] = _f_value(hits, len(one), len(other))
    shared: set[str] = set()
    for sentence in theirs:
        for candidate in ours:
            shared.update(_common_subsequence(sentence, candidate))
    sizes = len(set(sum(ours, []))), len(set(sum(theirs, [])))
    return found | {"rouge_l": _f_value(len(shared), *sizes)}


def bleu(prediction: str, references: Sequence[str]) -> float:
    """Return BLEU of one text, with n-grams of one to four characters.

    Where no n-gram of a length occurs in a reference, 0.1 hits are counted.

    Args:
        prediction: The generated text.
        references: At least one.

    Returns:
        The score; 0 if no character occurs in a reference.

    Example:
        >>> bleu("今天下雨", ["今天下雨"])
        1.0

    Source: nltk/nltk 3.9, translate/bleu_score.py: `sentence_bleu`,
    `SmoothingFunction.method1`.
    """
    ours = _spaced(prediction).split(" ")
    theirs = [_spaced(reference).split(" ") for reference in references]
    logarithms = []
    for n in range(1, _ORDER + 1):
        counts, most = _ngrams(ours, n), Counter[tuple[str, ...]]()
        for words in theirs:
            most |= _ngrams(words, n)
        hits = (counts & most).total()
        if n == 1 and not hits:
            return 0.0
        logarithms.append(math.log((hits or _SMOOTHING) / max(1, counts.total())))
    length = len(ours)
    nearest = min(map(len, theirs), key=lambda size: (abs(size - length), size))
    short = 1.0 if length > nearest else math.exp(1 - nearest / length)
    return short * math.exp(math.fsum(x / _ORDER for x in logarithms))


def _spaced(text: str) -> str:
    """Put a space between all characters; a space of the text becomes an empty word."""
    return " ".join(text).lower()


def _sentences(text: str) -> list[list[str]]:
    parts = [part for part in _spaced(text).split(".") if part]
    return [" ".join(part.split()).split(" ") for part in parts]


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _f_value(hits: int, found: int, wanted: int) -> float:
    precision, recall = hits / max(found, 1), hits / max(wanted, 1)
    return 2.0 * ((precision * recall) / (precision + recall + _EPSILON))


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return a longest common subsequence: of several the one that `rouge` takes."""
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, x in enumerate(one, 1):
        for j, y in enumerate(other, 1):
            longest = max(lengths[i - 1][j], lengths[i][j - 1])
            lengths[i][j] = lengths[i - 1][j - 1] + 1 if x == y else longest
    found, i, j = [], len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            found.append(one[i - 1])
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found
