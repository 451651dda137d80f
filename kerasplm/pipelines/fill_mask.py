"""Guess the words under [MASK]."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError, DataError
from kerasplm.heads import PretrainedModel
from kerasplm.pipelines.base import Pipeline
from kerasplm.pipelines.items import texts_of
from kerasplm.tasks.features import joined
from kerasplm.tasks.graphs import Graph, each
from kerasplm.tasks.kinds.base import best_window, windows
from kerasplm.vocab import MASK_TOKEN


@dataclasses.dataclass(frozen=True, slots=True)
class MaskedText:
    """A text with masks.

    Args:
        text: The text.
        ids: Its tokens, without special ones.
        places: Which of them are masks.
        starts: The character where each mask begins.
    """

    text: str
    ids: list[int]
    places: list[int]
    starts: list[int]


class FillMask(Pipeline):
    """Guess the words under [MASK]; a text may hold several.

    Each mask is guessed for itself. A text that is longer than `max_length` is cut into
    windows that overlap by half, and a mask is guessed in the one in which it has the
    most context.

    An answer is {"text", "masks"}: the text with the best guess at every mask, and for
    each mask {"start", "end", "candidates"}, the place of "[MASK]" in the text that was
    given and the best words, {"token", "score", "text"}: the token as the vocabulary
    has it, its probability among all tokens, and the given text with the word (without
    "##") at this mask. All other characters stay as they were.

    Args:
        model: A `PretrainedModel` with an MLM head.
        tokenizer: From `load_tokenizer`.
        batch_size: As for `Pipeline`.
        max_length: As for `Pipeline`.
        top_k: Candidates per mask.
        targets: Guess among these words only; each must be one token.

    Raises:
        ConfigError: The model has no MLM head, the vocabulary no [MASK], or a target is
            not one token.
    """

    task = "fill-mask"

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Any,
        *,
        batch_size: int = 32,
        max_length: int | None = None,
        top_k: int = 5,
        targets: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(model, PretrainedModel) or "mlm" not in model.heads:
            raise ConfigError(_no_mlm(model))
        super().__init__(model, tokenizer, batch_size=batch_size, max_length=max_length)
        if self.tokenizer.mask_id is None:
            raise ConfigError(f"fill-mask: the vocabulary has no {MASK_TOKEN}")
        if top_k < 1:
            raise ConfigError(f"top_k must be positive. Received: {top_k}")
        self.vocab = self.tokenizer.vocab
        among = range(len(self.vocab))
        chosen = among if targets is None else self._ids(targets)
        self.targets = np.array(chosen, "int32")
        self.top_k = min(top_k, len(self.targets))
        self._best = Graph(self._candidates)

    @property
    def traces(self) -> int:
        """How many graphs were traced so far."""
        return self._best.traces

    def read(self, item: Any, number: int) -> MaskedText:
        """Tokenize the parts between the masks."""
        text = str(texts_of(item, self.fields, 1, number)[0])
        if MASK_TOKEN not in text:
            raise DataError(
                f"input {number}: expected {MASK_TOKEN} in the text, found none in "
                f"{text[:40]!r}"
            )
        ids: list[int] = []
        places: list[int] = []
        starts: list[int] = []
        at = 0
        for n, part in enumerate(text.split(MASK_TOKEN)):
            if n:
                places.append(len(ids))
                starts.append(at - len(MASK_TOKEN))
                ids.append(self.tokenizer.mask_id or 0)
            ids += self.tokenizer.tokenize(part)[0]
            at += len(part) + len(MASK_TOKEN)
        return MaskedText(text, ids, places, starts)

    def run(self, rows: Sequence[MaskedText]) -> list[dict[str, Any]]:
        """Guess the masks of texts."""
        sequences, owner, masks = [], [], []
        for n, row in enumerate(rows):
            size = self.max_length - 2
            cuts = windows(len(row.ids), size, max(size // 2, 1))
            best = best_window(cuts, len(row.ids))
            for window, (start, end) in enumerate(cuts):
                here = [k for k, p in enumerate(row.places) if best[p] == window]
                if not here:
                    continue
                ids = [self.tokenizer.cls_id, *row.ids[start:end]]
                ids.append(self.tokenizer.sep_id)
                sequences.append((ids, [0] * len(ids)))
                owner.append(n)
                masks.append([(k, row.places[k] - start + 1) for k in here])
        features = joined(sequences, self.tokenizer.pad_id, owner)
        found: list[dict[int, Any]] = [{} for _ in rows]

        def ask(chosen: np.ndarray) -> Any:
            inputs = features.inputs(chosen)
            wanted = [masks[n] for n in chosen]
            places = np.zeros((len(chosen), max(map(len, wanted))), "int32")
            for b, one in enumerate(wanted):
                places[b, : len(one)] = [place for _, place in one]
            spec = tf.TensorSpec([None, None], tf.int32)
            signature = {**features.signature, "mlm_positions": spec}
            best = self._best([signature], {**inputs, "mlm_positions": places})
            return [np.asarray(x) for x in best]

        for chosen, (scores, tokens) in each(features, self.batch_size, ask):
            for b, one in enumerate(masks[n] for n in chosen):
                for m, (k, _) in enumerate(one):
                    found[owner[chosen[b]]][k] = (scores[b, m], tokens[b, m])
        return [self._show(row, of) for row, of in zip(rows, found, strict=True)]

    def _candidates(self, inputs: Any) -> Any:
        out = self.model(inputs, training=False, skip_padding=True)
        logits = out["mlm_logits"]
        shares = tf.nn.softmax(tf.cast(logits, tf.float32))
        shares = tf.gather(shares, self.targets, axis=-1)
        best, places = tf.math.top_k(shares, self.top_k)
        return best, tf.gather(self.targets, places)

    def _show(self, row: MaskedText, found: dict[int, Any]) -> dict[str, Any]:
        masks, pieces, at = [], [], 0
        for n, start in enumerate(row.starts):
            end = start + len(MASK_TOKEN)
            before, behind = row.text[:start], row.text[end:]
            candidates = []
            for score, token in zip(*found[n], strict=True):
                token = self.vocab[token]
                filled = before + token.removeprefix("##") + behind
                candidates.append(
                    {"token": token, "score": float(score), "text": filled}
                )
            masks.append({"start": start, "end": end, "candidates": candidates})
            pieces += [row.text[at:start], candidates[0]["token"].removeprefix("##")]
            at = end
        return {"text": "".join([*pieces, row.text[at:]]), "masks": masks}

    def _ids(self, targets: Sequence[str]) -> list[int]:
        """Return the id of each target, which is a token or a word that makes one."""
        if isinstance(targets, str) or not targets:
            raise ConfigError(f"targets must be a list of words. Received: {targets!r}")
        index = {token: n for n, token in enumerate(self.vocab)}
        found = []
        for word in targets:
            ids = [index[word]] if word in index else self.tokenizer.tokenize(word)[0]
            if len(ids) != 1 or ids[0] == self.tokenizer.unk_id:
                pieces = [self.vocab[n] for n in ids]
                raise ConfigError(
                    f"targets: {word!r} is not one token of the vocabulary, but "
                    f"{pieces}"
                )
            found += ids
        return list(dict.fromkeys(found))


def _no_mlm(model: keras.Model) -> str:
    if "rtd" in getattr(model, "heads", ()):
        return (
            "fill-mask: an ELECTRA discriminator does not guess words; its generator "
            "does: pass part='generator'"
        )
    held = ", ".join(getattr(model, "heads", ())) or "none"
    return (
        "fill-mask: expected a PretrainedModel with an MLM head, found a "
        f"{type(model).__name__} with heads: {held}"
    )
