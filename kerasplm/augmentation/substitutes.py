"""Words that a masked language model puts in the place of words of a text."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from kerasplm.augmentation.filling import EXTRA, Filled, Hypothesis, extended, joint
from kerasplm.augmentation.guessing import Best, Guesser, Masked
from kerasplm.augmentation.languages import Language, Span
from kerasplm.errors import ConfigError
from kerasplm.tasks.kinds.base import best_window, windows

FILLS = ("joint", "beam")
# Tokens that are tried at each place of a word, or more if many words are asked for.
_WIDE = 48


@dataclasses.dataclass(frozen=True, slots=True)
class _Word:
    """A word of a text: its number there, and its tokens [start, end)."""

    number: int
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """Words of a piece of a text that are masked at once.

    Args:
        owner: Number of the text.
        ids: Tokens of the piece.
        words: Words, whose tokens are counted in the piece.
    """

    owner: int
    ids: Sequence[int]
    words: Sequence[_Word]


class MaskedWords:
    """Find substitutes for words of many texts.

    All tokens of a word are masked together, with the original text as context. Words
    of a text that lie apart are masked at once, as in pre-training, as far as
    `mask_share` allows. What is found does not depend on how texts are batched: where
    rounding could decide, a text is asked again by itself.

    Args:
        model: A `PretrainedModel` with an MLM head.
        tokenizer: From `load_tokenizer`.
        language: Which words and candidates are good.
        candidates: Most substitutes of a word.
        batch_size: Sequences that run at once.
        max_length: As for `Guesser`.
        mask_share: Share of the tokens that are masked at once; a word at least.
        fill: "joint" takes the tokens of a word as independent, and of all words of
            the dictionary the most probable ones: one pass. "beam" fills one token
            after the other, with a beam of `candidates`: better words, for
            `candidates` more passes per further token.

    Raises:
        ConfigError: The model cannot guess, or a choice is bad.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        language: Language,
        *,
        candidates: int,
        batch_size: int,
        max_length: int | None,
        mask_share: float,
        fill: str,
    ) -> None:
        if fill not in FILLS:
            raise ConfigError(
                f"fill must be one of {', '.join(FILLS)}. Received: {fill!r}"
            )
        if not 0 <= mask_share <= 1:
            raise ConfigError(f"mask_share must be in [0, 1]. Received: {mask_share}")
        if batch_size < 1:
            raise ConfigError(f"batch_size must be positive. Received: {batch_size}")
        vocab = tokenizer.vocab
        allowed = [n for n, token in enumerate(vocab) if language.may_be_token(token)]
        if len(allowed) < 2:
            raise ConfigError(
                f"the vocabulary of {len(vocab)} tokens has {len(allowed)} that may "
                f"stand for a word of the language ({type(language).__name__}): "
                "another language, or another model"
            )
        wide = max(_WIDE, 2 * candidates) + EXTRA
        self.guess = Guesser(model, tokenizer, allowed, wide, max_length)
        self.vocab, self.mask = vocab, tokenizer.mask_id
        self.language, self.candidates = language, candidates
        self.batch_size, self.mask_share, self.fill = batch_size, mask_share, fill

    def __call__(
        self, texts: Sequence[str], words: Sequence[Sequence[Span]]
    ) -> list[list[list[str]]]:
        """Return the substitutes of each word of each text.

        Args:
            texts: The texts.
            words: Characters [start, end) of the words of each text.
        """
        found: list[list[list[str]]] = [[[] for _ in spans] for spans in words]
        groups = [
            group
            for n, (text, spans) in enumerate(zip(texts, words, strict=True))
            for group in self._groups(n, text, spans)
        ]
        for group, filled in zip(
            groups, self._fill(groups, self.batch_size), strict=True
        ):
            if not all(one.sure for one in filled):
                [alone] = self._fill([group], 1)
                pairs = zip(filled, alone, strict=True)
                filled = [one if one.sure else again for one, again in pairs]
            for word, one in zip(group.words, filled, strict=True):
                found[group.owner][word.number] = one.words
        return found

    def _groups(self, owner: int, text: str, spans: Sequence[Span]) -> list[_Group]:
        """Divide the words of a text into those that are masked at once."""
        ids, places = self.guess.tokenizer.tokenize_offsets(text)
        cuts = windows(len(ids), self.guess.room, max(self.guess.room // 2, 1))
        best = best_window(cuts, len(ids))
        inside: list[list[_Word]] = [[] for _ in cuts]
        at = 0
        for number, (start, end) in enumerate(spans):
            while at < len(ids) and places[at][1] <= start:
                at += 1
            last = at
            while last < len(ids) and places[last][1] <= end:
                last += 1
            if last == at or places[at][0] < start:
                continue  # no token, or one that covers more than the word
            if last < len(ids) and places[last][0] < end:
                continue
            if last - at > 1 and not self.language.pieces:
                continue
            window = int(best[at])
            first, behind = cuts[window]
            if last <= behind:
                word = _Word(number, text[start:end], at - first, last - first)
                inside[window].append(word)
        return [
            _Group(owner, ids[first:behind], part)
            for (first, behind), held in zip(cuts, inside, strict=True)
            for part in self._parts(held, behind - first)
        ]

    def _parts(self, words: Sequence[_Word], size: int) -> list[list[_Word]]:
        """Deal the words of a piece of so many tokens to groups, neighbours apart."""
        if not words:
            return []
        masks = sum(word.end - word.start for word in words)
        most = self.mask_share * size
        count = len(words) if most <= 1 else min(-int(-masks // most), len(words))
        return [list(words[n::count]) for n in range(count)]

    def _fill(self, groups: Sequence[_Group], batch_size: int) -> list[list[Filled]]:
        asked = []
        for group in groups:
            places = [n for word in group.words for n in range(word.start, word.end)]
            asked.append(Masked(self._masked(group.ids, places), group.ids, places))
        parts: list[list[Best]] = []
        for group, (scores, tokens) in zip(
            groups, self.guess(asked, batch_size), strict=True
        ):
            parts.append([])
            at = 0
            for word in group.words:
                end = at + word.end - word.start
                parts[-1].append((scores[at:end], tokens[at:end]))
                at = end
        if self.fill == "beam":
            return self._beams(groups, parts, batch_size)
        return [
            [
                joint(
                    best,
                    self.vocab.__getitem__,
                    self.language.begins_word,
                    functools.partial(self.language.accepts, word.text),
                    self.candidates,
                )
                for word, best in zip(group.words, held, strict=True)
            ]
            for group, held in zip(groups, parts, strict=True)
        ]

    def _beams(
        self,
        groups: Sequence[_Group],
        parts: Sequence[Sequence[Best]],
        batch_size: int,
    ) -> list[list[Filled]]:
        """Fill words one token after the other.

        The n-th hypotheses of all words of a group run in one sequence, and tokens
        that no word begins with are not followed.
        """
        beams: list[list[list[Hypothesis]]] = [
            [[((), 0.0)] for _ in group.words] for group in groups
        ]
        sure = [[True] * len(group.words) for group in groups]
        found = [[[(s[:1], t[:1])] for s, t in held] for held in parts]
        longest = max((x.end - x.start for g in groups for x in g.words), default=0)
        for n in range(longest):
            if n:
                found = self._continued(groups, beams, n, batch_size)
            for g, group in enumerate(groups):
                for w, word in enumerate(group.words):
                    if word.end - word.start > n:
                        beams[g][w], certain = extended(
                            beams[g][w],
                            found[g][w],
                            self._keeps(word, n),
                            self.candidates,
                        )
                        sure[g][w] &= certain
        return [
            [
                Filled([self._text(tokens) for tokens, _ in beam], certain)
                for beam, certain in zip(*held, strict=True)
            ]
            for held in zip(beams, sure, strict=True)
        ]

    def _continued(
        self,
        groups: Sequence[_Group],
        beams: Sequence[Sequence[Sequence[Hypothesis]]],
        size: int,
        batch_size: int,
    ) -> list[list[list[Best]]]:
        """Return the best next token of each hypothesis of the words that go on."""
        asked, owners = [], []
        for g, group in enumerate(groups):
            going = [w for w, x in enumerate(group.words) if x.end - x.start > size]
            for n in range(max((len(beams[g][w]) for w in going), default=0)):
                ids, places, words = list(group.ids), [], []
                for w, word in enumerate(group.words):
                    tokens = beams[g][w][n][0] if n < len(beams[g][w]) else ()
                    masks = [self.mask] * (word.end - word.start - len(tokens))
                    ids[word.start : word.end] = [*tokens, *masks]
                    if w in going and tokens:
                        places.append(word.start + size)
                        words.append(w)
                asked.append(Masked(ids, group.ids, places))
                owners.append((g, words))
        found: list[list[list[Best]]] = [[[] for _ in g.words] for g in groups]
        answers = self.guess(asked, batch_size)
        for (g, words), (scores, best) in zip(owners, answers, strict=True):
            for k, w in enumerate(words):
                found[g][w].append((scores[k : k + 1], best[k : k + 1]))
        return found

    def _keeps(self, word: _Word, place: int) -> Callable[[tuple[int, ...]], bool]:
        """Return whether tokens may stand for the word up to a place."""
        if word.start + place + 1 < word.end:
            return lambda tokens: self.language.begins_word(self._text(tokens))
        return lambda tokens: self.language.accepts(word.text, self._text(tokens))

    def _text(self, tokens: Sequence[int]) -> str:
        return "".join(self.vocab[token] for token in tokens)

    def _masked(self, ids: Sequence[int], places: Iterable[int]) -> list[int]:
        masked = list(ids)
        for place in places:
            masked[place] = self.mask
        return masked
