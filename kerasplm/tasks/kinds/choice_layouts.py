"""How a question and one of its choices become a sequence of tokens."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kerasplm.errors import ConfigError, VocabError
from kerasplm.tasks.formats.choices import BLANK
from kerasplm.tasks.kinds.texts import token_lists
from kerasplm.tasks.rows import ChoiceRow

Sequences = list[tuple[list[int], int]]
"""Token ids of each choice, and how many of them have segment 0."""

# What C3's code fills up with; CLUEbenchmark/CLUE run_c3.py.
INVALID = "无效答案"
# Tokens for the name of an idiom; CLUEbenchmark/CLUE CHID_preprocess.py.
IDIOM = 4
# Special tokens, an idiom, and something to read.
SHORTEST = 2 * IDIOM + 2


class Lists:
    """Tokens of many texts, each tokenized once.

    Args:
        tokenizer: From `load_tokenizer`.
        texts: The texts; equal ones are one.
    """

    def __init__(self, tokenizer: Any, texts: Iterable[str]) -> None:
        self.tokenizer = tokenizer
        unique = list(dict.fromkeys(texts))
        self._ids = dict(zip(unique, token_lists(tokenizer, unique), strict=True))

    def __getitem__(self, text: str) -> list[int]:
        """Return the ids of a text without special tokens."""
        return self._ids[text]

    def special(self, token: str) -> int:
        """Return the id of a token that no text gives.

        Raises:
            VocabError: The vocabulary has no such token.
        """
        vocab = self.tokenizer.vocab
        if token not in vocab:
            raise VocabError(
                f"vocabulary: expected the token {token!r}, with which the task marks "
                "a blank, found none. Name another one with blank="
            )
        return int(vocab.index(token))


def lengths_within(lengths: Sequence[int], budget: int) -> list[int]:
    """Return how many tokens of each text survive truncation.

    The closed form of "pop the last token of the longest text, of the first of them
    when several are equal, until all fit".

    Args:
        lengths: Tokens of each text.
        budget: Tokens that all may have together.

    Example:
        >>> lengths_within([9, 2, 5], 12), lengths_within([3, 3, 3], 7)
        ([5, 2, 5], [2, 2, 3])

    Source: `_truncate_seq_tuple` of CLUEbenchmark/CLUE run_c3.py.
    """
    # The level that all texts are cut to; what is left is for those that are longer,
    # the last first, since the first are popped first.
    level, rest, open_ = 0, budget, len(lengths)
    for length in sorted(lengths):
        if length * open_ > rest:
            level, rest = divmod(rest, open_)
            break
        level, rest, open_ = length, rest - length, open_ - 1
    else:
        return list(lengths)
    kept = [min(length, level) for length in lengths]
    for n in reversed(range(len(lengths))):
        if rest and lengths[n] > level:
            kept[n] += 1
            rest -= 1
    return kept


def question_layout(
    rows: Sequence[ChoiceRow], tokenizer: Any, max_length: int, blank: str
) -> Iterator[Sequences]:
    """Yield [CLS] context [SEP] question [SEP] choice [SEP]; the context is segment 0.

    Of context, choice and question the longest loses its last tokens.

    Source: CLUEbenchmark/CLUE run_c3.py.
    """
    texts = (t for r in rows for t in (r.context, r.question, *r.choices))
    lists = Lists(tokenizer, texts)
    cls, sep = tokenizer.cls_id, tokenizer.sep_id
    for row in rows:
        context, question = lists[row.context], lists[row.question]
        found = []
        for text in row.choices:
            choice = lists[text]
            parts = (context, choice, question)
            a, b, c = lengths_within([len(part) for part in parts], max_length - 4)
            ids = [cls, *context[:a], sep, *question[:c], sep, *choice[:b], sep]
            found.append((ids, a + 2))
        yield found


def cloze_layout(
    rows: Sequence[ChoiceRow], tokenizer: Any, max_length: int, blank: str
) -> Iterator[Sequences]:
    """Yield [CLS] choice [SEP] left [unused1] right [SEP], all segment 0.

    Half of the room is for each side of the blank, and what one does not need is the
    other's. Other blanks become four [MASK] each, after which the sides are cut back
    to the lengths they had.

    The original loses tokens on the left where the whole text would fit but the blank
    lies far behind its middle; here they stay.

    Source: CLUEbenchmark/CLUE CHID_preprocess.py.
    """
    pieces = (p for r in rows for x in (r.context, r.question) for p in BLANK.split(x))
    lists = Lists(tokenizer, [*pieces, *(c for row in rows for c in row.choices)])
    cls, sep = tokenizer.cls_id, tokenizer.sep_id
    mark = lists.special(blank)
    mask = -1  # asked for only if there are other blanks

    def side(text: str) -> list[int]:
        """Return the tokens, other blanks as one -1 each."""
        first, *others = BLANK.split(text)
        ids = list(lists[first])
        for other in others:
            ids += [-1, *lists[other]]
        return ids

    for row in rows:
        left, right = side(row.context), side(row.question)
        choices = [lists[text][: max_length - 4] for text in row.choices]
        longest = max([IDIOM, *map(len, choices)])
        room = max_length - 4 - longest
        before = min(len(left), max(room // 2, room - len(right)))
        after = min(len(right), room - before)
        left, right = left[len(left) - before :], right[:after]
        if -1 in left or -1 in right:
            mask = lists.special("[MASK]") if mask < 0 else mask
            left = _masked(left, mask)
            left, right = left[len(left) - before :], _masked(right, mask)[:after]
        rest = [sep, *left, mark, *right, sep]
        found = [[cls, *choice, *rest] for choice in choices]
        yield [(ids, len(ids)) for ids in found]


def _masked(ids: list[int], mask: int) -> list[int]:
    return [i for one in ids for i in ([mask] * IDIOM if one < 0 else [one])]


Layout = Callable[[Sequence[ChoiceRow], Any, int, str], Iterator[Sequences]]
LAYOUTS: Mapping[str, Layout] = {"question": question_layout, "cloze": cloze_layout}


def layout_named(name: str, max_length: int) -> Layout:
    """Return a layout.

    Raises:
        ConfigError: There is none of that name, or the length is too small.
    """
    if name not in LAYOUTS:
        raise ConfigError(
            f"layout must be one of {', '.join(LAYOUTS)}. Received: {name!r}"
        )
    if max_length < SHORTEST:
        raise ConfigError(
            f"max_length must be at least {SHORTEST} for choices. Received: "
            f"{max_length}"
        )
    return LAYOUTS[name]
