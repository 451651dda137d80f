"""What a worker does: a block of text becomes the records of every shard."""

import hashlib
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from kerasplm.errors import DataError
from kerasplm.pretraining import builders, documents, records
from kerasplm.pretraining.builders import Instance, Piece
from kerasplm.pretraining.data_settings import DataSettings
from kerasplm.pretraining.documents import Block, Document, Opener, open_file
from kerasplm.pretraining.groups import groups
from kerasplm.pretraining.masking import Masker, Masking
from kerasplm.pretraining.statistics import Statistics
from kerasplm.pretraining.words import Source, Words
from kerasplm.python_tokenizer import PythonTokenizer


class BlockMaker:
    """Makes the records of blocks; each block by itself, so in any order.

    Args:
        settings: With `shards` given.
        tokenizer: Of the vocabulary.

    Example:
        >>> maker = BlockMaker(DataSettings(shards=4), tokenizer)  # doctest: +SKIP
        >>> for shard, data in maker.make(block, Statistics()):    # doctest: +SKIP
        ...     print(shard, len(data))
    """

    def __init__(self, settings: DataSettings, tokenizer: PythonTokenizer) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self.words = words_of(settings.whole_words, tokenizer)
        self._special = tokenizer.cls_id, tokenizer.sep_id
        self._masker: Masker | None = None
        if settings.form == "static" and settings.rules.masks:
            masking = Masking(
                probability=settings.masked_lm_prob,
                max_predictions=settings.max_predictions or 1,
                whole_words=settings.whole_words != "none",
                ngram=settings.ngram,
            )
            self._masker = Masker(tokenizer, masking)

    def make(
        self, block: Block, statistics: Statistics, opener: Opener = open_file
    ) -> Iterator[tuple[int, list[bytes]]]:
        """Make the records of a block.

        Args:
            block: Where the text lies.
            statistics: Counts what is seen.
            opener: Opens a file.

        Returns:
            Shards in order, with their framed records in random order; shards without
            a record are left out.

        Raises:
            DataError: As of `documents`.
        """
        statistics.cut += sum(part.cut for part in block.parts)
        used = self._used(block, statistics, opener)
        dealt: dict[int, list[int]] = {}
        for number in range(len(used)):
            dealt.setdefault(self._shard(block.number, number), []).append(number)
        for shard in sorted(dealt):
            found: list[bytes] = []
            for number in dealt[shard]:
                found += self._records(block.number, number, used, statistics)
            random.Random(self._number(block.number, "shard", shard)).shuffle(found)
            if found:
                yield shard, found

    def documents(self, block: Block, opener: Opener = open_file) -> Iterator[Document]:
        """Read the documents, or groups, of a block.

        Args:
            block: Where the text lies.
            opener: Opens a file.

        Raises:
            DataError: The text is not UTF-8, or not that of the layout.
        """
        for part in block.parts:
            read = documents.read(Block(block.number, (part,)), opener)
            if not self._settings.rules.groups:
                yield from read
                continue
            for document in read:
                try:
                    yield from groups(document)
                except DataError as error:
                    raise DataError(f"{part.file}: {error}") from error

    def _number(self, *place: object) -> int:
        """Return the seed of a place in the corpus."""
        text = ":".join(map(str, (self._settings.seed, *place)))
        digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def _shard(self, block: int, document: int) -> int:
        # Of a document, not of an instance: shards can be held out for evaluation.
        return self._number(block, document) % (self._settings.shards or 1)

    def _used(
        self, block: Block, statistics: Statistics, opener: Opener
    ) -> list[list[Piece]]:
        """Return the documents that are long enough, tokenized once for all copies."""
        used = []
        rules = self._settings.rules
        most = rules.longest_piece(self._settings.max_length)
        for document in self.documents(block, opener):
            pieces = self._pieces(document, statistics)
            size = sum(len(piece.ids) for piece in pieces)
            statistics.tokens += size
            if size < self._settings.min_tokens:
                few = f"of fewer than {self._settings.min_tokens} tokens"
                statistics.dropped[few if size else "without tokens"] += 1
                continue
            parts = [builders.cut(piece, most) for piece in pieces]
            kept = [part[:1] for part in parts] if rules.groups else parts
            used.append(list(chain.from_iterable(kept)))
        return used

    def _pieces(self, document: Document, statistics: Statistics) -> list[Piece]:
        statistics.documents += 1
        statistics.sentences += len(document)
        statistics.characters += sum(map(len, document))
        pieces = []
        for sentence in document:
            ids, starts = self.words(sentence)
            if not ids:
                continue
            pieces.append(Piece(ids, starts))
            if self._tokenizer.unk_id in ids:
                self._see_unknown(sentence, statistics)
        return pieces

    def _see_unknown(self, sentence: str, statistics: Statistics) -> None:
        ids, spans = self._tokenizer.tokenize_offsets(sentence)
        for i, (start, end) in zip(ids, spans, strict=True):
            if i == self._tokenizer.unk_id:
                statistics.unknown += 1
                statistics.see_unknown(sentence[start:end])

    def _records(
        self,
        block: int,
        number: int,
        used: Sequence[Sequence[Piece]],
        statistics: Statistics,
    ) -> Iterator[bytes]:
        settings = self._settings

        def stranger(rng: random.Random) -> Sequence[Piece]:
            other = rng.randrange(len(used) - 1)
            return used[other + (other >= number)]

        found = 0
        for copy in range(settings.dupe_factor or 1):
            seed = self._number(block, number, "copy", copy)
            rng, masks = random.Random(seed), np.random.default_rng(seed)
            for instance in builders.instances(
                used[number],
                settings.rules,
                settings.max_length,
                self._special,
                rng,
                short=settings.short_seq_prob,
                stranger=stranger if len(used) > 1 else None,
            ):
                size = len(instance.input_ids)
                tokens = size - 2 - (1 in instance.segment_ids)
                if tokens < settings.min_tokens:
                    statistics.rests += 1
                    continue
                found += 1
                statistics.instances += 1
                statistics.instance_tokens += size
                statistics.lengths[str(size)] += 1
                if instance.label is not None:
                    statistics.labels[str(instance.label)] += 1
                features = self._features(instance, masks, statistics)
                yield records.frame(records.encode(features))
        if not found:
            statistics.dropped["of one word or short rests"] += 1

    def _features(
        self, instance: Instance, masks: np.random.Generator, statistics: Statistics
    ) -> dict[str, records.Values]:
        if self._settings.form == "static":
            return self._static(instance, masks, statistics)
        features: dict[str, records.Values] = {
            "input_ids": instance.input_ids,
            "segment_ids": instance.segment_ids,
            "token_boundary": instance.token_boundary,
        }
        if instance.label is not None:
            features["next_sentence_labels"] = [instance.label]
        return features

    def _static(
        self, instance: Instance, masks: np.random.Generator, statistics: Statistics
    ) -> dict[str, records.Values]:
        ids, segments, boundary, label = instance
        length = self._settings.max_length
        features: dict[str, records.Values] = {
            "input_mask": b"\x01" * len(ids) + bytes(length - len(ids)),
            "segment_ids": segments + bytes(length - len(ids)),
        }
        if self._masker is not None:
            ids, positions, labels = self._masker(ids, boundary, masks)
            found = map(ids.__getitem__, positions)
            statistics.masks.update(map(self._kind, found, labels))
            room = (self._settings.max_predictions or 0) - len(positions)
            features["masked_lm_positions"] = [*positions, *[0] * room]
            features["masked_lm_ids"] = [*labels, *[0] * room]
            weights = [1.0] * len(positions) + [0.0] * room
            features["masked_lm_weights"] = array("f", weights)
            features["next_sentence_labels"] = [label or 0]
        pad = [self._tokenizer.pad_id] * (length - len(ids))
        features["input_ids"] = [*ids, *pad]
        return features

    def _kind(self, found: int, before: int) -> str:
        if found == before:
            return "kept"
        return "masked" if found == self._tokenizer.mask_id else "random"


def words_of(choice: str, tokenizer: PythonTokenizer) -> Words:
    """Return what tells where words start.

    Args:
        choice: Of `DataSettings.whole_words`.
        tokenizer: Of the vocabulary.
    """
    sources: Mapping[str, Source] = {
        "jieba": "jieba",
        "segmented": "spaces",
        "wordpiece": "wordpiece",
        "none": "wordpiece",
    }
    if choice in sources:
        return Words(tokenizer, sources[choice])
    return Words(tokenizer, "list", choice)


def maker_of(data: Mapping[str, Any]) -> BlockMaker:
    """Return the maker that a process is told to be.

    Args:
        data: `settings`, the `vocabulary` and the options of the `tokenizer`.
    """
    tokenizer = PythonTokenizer(data["vocabulary"], **data["tokenizer"])
    return BlockMaker(DataSettings.from_json(data["settings"]), tokenizer)
