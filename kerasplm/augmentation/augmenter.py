"""Other wordings of texts: words are replaced by what a language model proposes."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasplm.augmentation.languages import Language, Span, language_named, outside
from kerasplm.augmentation.substitutes import MaskedWords
from kerasplm.augmentation.vectors import WordVectors
from kerasplm.errors import ConfigError

# Texts whose substitutes are remembered: a premise or a question comes again soon.
_REMEMBERED = 1 << 12


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A word of a text that may be replaced, and by what.

    Args:
        start: First character.
        end: One behind the last.
        words: What may stand there instead; may be empty.
    """

    start: int
    end: int
    words: tuple[str, ...]


class ContextualAugmenter:
    """Reword texts as TinyBERT's data augmentation does; in Chinese by whole words.

    Each word that carries matter may be replaced: by what the masked language model
    proposes in its place (it sees the masked and the original text), and by its
    nearest neighbours in `vectors`. In English the model proposes for words of one
    token, the vectors for words of several. Stop words, numbers, names and negations
    are not touched, and no word is replaced by an opposite, or by praise or blame
    where it is neither, as far as the lists of `kerasplm.augmentation` know: so the
    label of a text holds.

    Args:
        model: A `PretrainedModel` with an MLM head: `load(x, heads="pretraining")`.
        tokenizer: From `load_tokenizer`.
        language: "zh" (needs jieba), "en", or a `Language` of yours.
        candidates: Most substitutes of a word from the model, and from the vectors.
        probability: With which a word that has substitutes is replaced, in [0, 1].
        vectors: Word vectors; None uses the model alone.
        batch_size: Sequences that run at once; changes the speed and no result of a
            float32 model on CPU.
        max_length: Tokens per sequence, in which the text stands twice; longer texts
            are seen through windows. Default: as many as the model takes, 512 at most.
        mask_share: Share of the tokens of a text that are masked at once; 0 masks one
            word at a time, as TinyBERT does, which is slower.
        fill: How words of several tokens are found, "joint" or "beam", see
            `MaskedWords`.

    Raises:
        ConfigError: The model has no MLM head, or a choice is out of range.
        DataError: jieba is not installed.

    Example:
        >>> augment = ContextualAugmenter(
        ...     plm.load(folder, heads="pretraining"), plm.load_tokenizer(folder)
        ... )  # doctest: +SKIP
        >>> augment(["房间很干净，服务员也热情。"], copies=2)  # doctest: +SKIP
        [['房间很整洁，服务员也热情。', '房间很干净，老板也热心。']]

    Source: Jiao et al., EMNLP Findings 2020, algorithm 1; huawei-noah TinyBERT,
    data_augmentation.py.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        language: str | Language = "zh",
        candidates: int = 15,
        probability: float = 0.4,
        vectors: WordVectors | None = None,
        batch_size: int = 32,
        max_length: int | None = None,
        mask_share: float = 0.15,
        fill: str = "joint",
    ) -> None:
        if candidates < 1:
            raise ConfigError(f"candidates must be positive. Received: {candidates}")
        if not 0 <= probability <= 1:
            raise ConfigError(f"probability must be in [0, 1]. Received: {probability}")
        if language == "auto":
            raise ConfigError("language='auto' needs texts; name it: 'zh' or 'en'")
        if isinstance(language, str):
            language = language_named(language)
        self.language: Language = language
        self.candidates, self.probability = candidates, probability
        self.vectors = vectors
        self._masked = MaskedWords(
            model,
            tokenizer,
            self.language,
            candidates=candidates,
            batch_size=batch_size,
            max_length=max_length,
            mask_share=mask_share,
            fill=fill,
        )
        self._known: collections.OrderedDict[Any, list[Place]]
        self._known = collections.OrderedDict()

    def __call__(
        self, texts: str | Sequence[str], copies: int = 20, seed: int = 0
    ) -> list[list[str]]:
        """Return up to so many other wordings of each text.

        Args:
            texts: One text, or many.
            copies: How often each is drawn; equal ones and the text itself are left
                out.
            seed: Of what is drawn; the wordings of a text depend on its number.

        Returns:
            A list for each text.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if copies < 1:
            raise ConfigError(f"copies must be positive. Received: {copies}")
        found = []
        for n, (text, places) in enumerate(zip(texts, self.places(texts), strict=True)):
            drawn = self.draws(text, places, copies, np.random.default_rng([seed, n]))
            found.append([other for other in dict.fromkeys(drawn) if other != text])
        return found

    def places(
        self, texts: Sequence[str], fixed: Sequence[Sequence[Span]] | None = None
    ) -> list[list[Place]]:
        """Return the words of each text that may be replaced, and by what.

        Args:
            texts: The texts, all of which run through the model together.
            fixed: For each text the characters [start, end) that must stay.
        """
        kept = [()] * len(texts) if fixed is None else map(tuple, fixed)
        keys = list(zip(texts, kept, strict=True))
        new = [key for key in dict.fromkeys(keys) if key not in self._known]
        spans = [outside(self.language.words(text), spans) for text, spans in new]
        guessed = self._masked([text for text, _ in new], spans)
        fresh: Mapping[Any, list[Place]] = {
            key: [
                self._place(key[0], start, end, words)
                for (start, end), words in zip(held, found, strict=True)
            ]
            for key, held, found in zip(new, spans, guessed, strict=True)
        }
        found = [fresh[key] if key in fresh else self._known[key] for key in keys]
        for key, places in zip(keys, found, strict=True):
            self._known[key] = places
            self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def draws(
        self,
        text: str,
        places: Sequence[Place],
        copies: int,
        rng: np.random.Generator,
        same_length: bool = False,
    ) -> list[str]:
        """Draw wordings of a text; equal ones and the text itself are among them.

        Args:
            text: The text.
            places: From `places`.
            copies: How often to draw.
            rng: What is drawn from.
            same_length: Take only substitutes as long as the word, so that every
                character keeps its place.
        """
        usable = []
        for place in places:
            size = place.end - place.start
            words = [x for x in place.words if len(x) == size or not same_length]
            if words:
                usable.append((place, words))
        chosen = rng.random((copies, len(usable)))
        replaced = rng.random((copies, len(usable))) < self.probability
        found = []
        for picks, flags in zip(chosen, replaced, strict=True):
            pieces, at = [], 0
            for (place, words), pick, flag in zip(usable, picks, flags, strict=True):
                if flag:
                    pieces += [text[at : place.start], words[int(pick * len(words))]]
                    at = place.end
            found.append("".join([*pieces, text[at:]]))
        return found

    def _place(self, text: str, start: int, end: int, guessed: Sequence[str]) -> Place:
        word, words = text[start:end], list(guessed)
        # In English the model speaks for words of one token, the vectors for others.
        if self.vectors is not None and (self.language.pieces or not guessed):
            near = self.vectors.nearest(word, self.candidates)
            words += [x for x in near if self.language.accepts(word, x)]
        styled = {self.language.styled(word, x) for x in words} - {word}
        # Sorted: of two that are equally good, rounding decides which is better.
        return Place(start, end, tuple(sorted(styled)))
