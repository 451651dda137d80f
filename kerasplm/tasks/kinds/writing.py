"""Let a model write: sources as ids in, texts out; the surest of several."""

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np

from kerasplm.generation.constraints import Data, Extract
from kerasplm.generation.settings import Decoding
from kerasplm.generation.sources import batch_of
from kerasplm.generation.texts import decoder_of


@dataclasses.dataclass(frozen=True, slots=True)
class GeneratedText:
    """What a model wrote.

    Args:
        text: The text.
        score: Its log-probability; of a beam search with its length penalty.
    """

    text: str
    score: float


class ExtractFirst(Extract):
    """Allow only what stands in the first text of the source.

    Args:
        special: As for `Extract`.
        sep_id: Token behind the first text.
    """

    def __init__(self, special: Sequence[int], sep_id: int) -> None:
        super().__init__(special)
        self.sep_id = sep_id

    def data(self, token_ids: np.ndarray, padding_mask: np.ndarray) -> Data:
        """Return the sources without what stands behind their first [SEP]."""
        first = np.cumsum(np.asarray(token_ids) == self.sep_id, axis=1) == 0
        return super().data(token_ids, np.asarray(padding_mask, bool) & first)


def written_texts(
    network: keras.Model,
    tokenizer: keras.Layer,
    sources: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    extract: bool,
    numbers: Sequence[int],
    seed: int,
    between: str,
) -> list[GeneratedText]:
    """Return the best text for each source.

    Args:
        network: As for `kerasplm.generate`.
        tokenizer: From `load_tokenizer`.
        sources: Ids of each source, special tokens included.
        decoding: The options.
        extract: Whether texts are parts of the first text of their source.
        numbers: Of the sources: with the seed they decide what is drawn.
        seed: Of what is drawn.
        between: What to put between parts, which end with [SEP].
    """
    constraint = name = None
    if extract:
        special = (tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id)
        constraint = ExtractFirst(special, tokenizer.sep_id)
        name = ("extract first", special)
    decoder = decoder_of(network, tokenizer.cls_id, decoding, constraint, name)
    batch = batch_of([list(ids) for ids in sources], tokenizer.pad_id)
    found = []
    for one in decoder(batch, numbers=numbers, seed=seed):
        parts: list[list[int]] = [[]]
        for token in one.ids[0]:
            if token == tokenizer.sep_id:
                parts.append([])
            else:
                parts[-1].append(token)
        ended = one.ids[0][-1:] == [tokenizer.sep_id]
        texts = tokenizer.decode(parts[:-1] if ended else parts)
        found.append(GeneratedText(between.join(texts), float(one.scores[0])))
    return found


def surest(candidates: Sequence[GeneratedText]) -> GeneratedText:
    """Return the answer for which several passages vote together.

    Passages without an answer have no vote. Of an answer that passages give with the
    probabilities p the vote is sum(p^2) / (sum(p) + 1): one sure passage wins over many
    unsure ones.

    Args:
        candidates: What was written for each passage.

    Example:
        >>> surest([GeneratedText("", -0.1), GeneratedText("北京", -0.7)]).text
        '北京'

    Source: The score of tokens in ZhuiyiTechnology/pretrained-models
    task_cips_sogou_qa.py, here of whole answers.
    """
    votes: dict[str, list[float]] = {}
    for one in candidates:
        if one.text:
            votes.setdefault(one.text, []).append(math.exp(min(one.score, 0.0)))
    if not votes:
        return candidates[0]

    def vote(text: str) -> float:
        shares = votes[text]
        return sum(p * p for p in shares) / (sum(shares) + 1)

    best = max(votes, key=vote)
    return max((c for c in candidates if c.text == best), key=lambda c: c.score)
