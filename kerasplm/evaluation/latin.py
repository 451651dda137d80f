"""Cut lower-case Latin text into words as the evaluator of CMRC 2018 had it cut.

That evaluator calls ``nltk.word_tokenize``: sentences by Punkt, words by the rules of
the Penn Treebank. What it answers depends on the release of NLTK (3.10 cuts at dashes,
which changes scores) and it needs a downloaded model. Here the rules of NLTK 3.8 and
3.9 are written down for what can reach them: lower case, without the signs that the
evaluator removes or cuts at by itself. On the answers of CMRC 2018 the releases 3.3 (of
the year of that evaluator), 3.4.5, 3.8.1 and 3.9.1 agree with them, each given Punkt's
abbreviations and none of its other tables.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from kerasplm.evaluation.abbreviations import ABBREVIATIONS

_END = ".?!"
# What may stand right behind the end of a sentence.
_NO_WORD = frozenset("?!)\";}]*:@'({[")
_PIECE = re.compile(
    r"""
    \.{2,}                                    # an ellipsis
    | (?![("`{\[:;&\#*@)}\],-]) \S+?          # a word, up to ...
      (?= \s | $ | [?!)";}\]*:@'({\[] | \.\.  # ... a space, a sign, an ellipsis,
        | ,(?= $ | \s | [?!)";}\]*:@'({\[] | \.\. ) )  # ... or a comma at its end
    | \S
    """,
    re.VERBOSE,
)
_CLOSING = re.compile(r"[\"')\]}]+?(?:\s+|$)", re.MULTILINE)
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*\.?")
_INITIAL = re.compile(r"[^\W\d]\.")

# In this order; each works on what the one before it left.
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Opening quotation marks.
        (r"[«‘„]", r" \g<0> "),
        (r'^"', " `` "),
        (r"""([ (\[{<])(?:"|'')""", r"\1 `` "),
        (r"'(?!re|ve|ll|[mtsdn])(?=\w\b)", "' "),
        # The full stop of the sentence; others stay with their words.
        (r"""([^.])\.([\])}>"'» ]*+)\s*$""", r"\1 . \2 "),
        # Signs. A comma between digits is part of a number.
        (r",(\D)", r" , \1"),
        (r",$", " , "),
        (r"\.{2,}", r" \g<0> "),
        (r"[;@#$%&?!]", r" \g<0> "),
        (r"(?<=[^'])' ", " ' "),
        (r"[\]\[(){}<>]", r" \g<0> "),
        (r"^|$", " "),
        # Closing quotation marks, and what follows an apostrophe.
        (r"»", " » "),
        (r"''|\"", " '' "),
        (r"([^' ])('[smd]|') ", r"\1 \2 "),
        (r"([^' ])('ll|'re|'ve|n't) ", r"\1 \2 "),
        # Words written as one.
        (r"\b(can)(not)\b", r" \1 \2 "),
        (r"\b(d)('ye)\b", r" \1 \2 "),
        (r"\b(gim|lem)(me)\b", r" \1 \2 "),
        (r"\b(gon)(na)\b", r" \1 \2 "),
        (r"\b(got)(ta)\b", r" \1 \2 "),
        (r"\b(more)('n)\b", r" \1 \2 "),
        (r"\b(wan)(na)(?=\s)", r" \1 \2 "),
        (r" ('t)(is)\b", r" \1 \2 "),
        (r" ('t)(was)\b", r" \1 \2 "),
    )
)


def latin_words(text: str) -> list[str]:
    """Return the words and signs of a lower-case text without ideographs.

    Args:
        text: Lower case; holds none of the signs of `kerasplm.evaluation.cmrc`.

    Returns:
        Words; a double quotation mark becomes `` or ''.

    Example:
        >>> latin_words("st. john (1,200 m), can't stop.")
        ['st.', 'john', '(', '1,200', 'm', ')', ',', 'ca', "n't", 'stop', '.']

    Source:
        nltk 3.8.1, ``word_tokenize``, with the search for sentences of 3.6.5 and before
        (later ones look twice at a text that begins with a full stop and a sign).
        Punkt's table of words that begin sentences in lower case is not kept: after an
        initial or a number with a full stop, a lower-case word begins none.
    """
    words: list[str] = []
    for sentence in _sentences(text):
        for pattern, replacement in _RULES:
            sentence = pattern.sub(replacement, sentence)
        words += sentence.split()
    return words


def _sentences(text: str) -> Iterator[str]:
    """Cut a text into sentences; closing brackets and quotes stay with theirs."""
    end_of_text = len(text.rstrip())
    start = moved = 0
    for (end, begin), (next_end, _) in pairwise([*_breaks(text), (end_of_text, 0)]):
        first, moved = start + moved, 0
        if closing := _CLOSING.match(text[begin:next_end]):
            end = begin + len(closing[0].rstrip())
            moved = closing.end()
        start = begin
        if text[first:end]:
            yield text[first:end]
    if text[start + moved : end_of_text]:
        yield text[start + moved : end_of_text]


def _breaks(text: str) -> Iterator[tuple[int, int]]:
    """Give where each sentence but the last ends, and where the next begins."""
    chunks = list(re.finditer(r"\S+", text))
    for number, chunk in enumerate(chunks):
        word = chunk[0]
        later = chunks[number + 1] if number + 1 < len(chunks) else None
        for at in range(len(word) - 1, -1, -1):
            if word[at] not in _END:
                continue
            if at + 1 == len(word) and later:
                after, begin = " " + later[0], later.start()
            elif at + 1 < len(word) and word[at + 1] in _NO_WORD:
                after, begin = word[at + 1], chunk.start() + at + 1
            else:
                continue
            if _holds_break(_PIECE.findall(word[: at + 1] + after)):
                yield chunk.start() + at + 1, begin
            break


def _holds_break(pieces: list[str]) -> bool:
    return any(_is_break(*pair) for pair in pairwise(pieces))


def _is_break(piece: str, following: str) -> bool:
    """Tell whether a sentence ends with a piece."""
    if piece in _END:
        return True
    if not piece.endswith(".") or piece.endswith(".."):
        return False
    if {piece[:-1], piece[:-1].split("-")[-1]} & ABBREVIATIONS:
        return False
    listed = _INITIAL.fullmatch(piece) or _NUMBER.fullmatch(piece)
    return not (listed and (following in ";:,.!?" or following[0].islower()))
