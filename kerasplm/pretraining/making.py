"""From records to rows, and from rows to batches.

Letters: B rows of a batch, N instances, S instances of a row at most, T tokens, P
masked positions.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasplm.pretraining.dynamic import Masking, instance_seeds
from kerasplm.pretraining.locating import limits_of
from kerasplm.pretraining.packing import first_fit, mirrored, pack
from kerasplm.pretraining.pipeline import Pipeline
from kerasplm.pretraining.sources import Records

Tensor = Any

_BLOCK = 256  # instances that are packed together
_READ = 8 * 2**20  # bytes
# Rows that a file gives, for a training that goes on.
_counts: dict[tuple[Any, ...], int] = {}


class Maker:
    """Turns records into rows, and rows into batches."""

    def __init__(
        self,
        records: Records,
        length: int,
        slots: int,
        masking: Masking | None,
        pipeline: Pipeline,
    ) -> None:
        self.records, self.pipeline, self.masking = records, pipeline, masking
        self.length, self.slots = length, slots
        self.packs = pipeline.packing > 1

    def file_rows(self, file: Tensor, base: Tensor, skip: Tensor) -> tf.data.Dataset:
        """Return the rows of a file: (S,) numbers of instances, (S,) records."""
        rows = tf.data.TFRecordDataset(file, buffer_size=_READ)
        if not self.packs:
            numbered = rows.skip(skip).enumerate(base + skip)
            return numbered.map(lambda n, record: (n[None], record[None]))
        blocks = rows.enumerate(base).batch(_BLOCK)
        packed = blocks.map(
            self._packed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        return packed.unbatch().skip(skip)

    def count(self, file: str) -> int:
        """Return how many rows a file gives."""
        stat = Path(file).stat()
        choices = (self.pipeline.packing, self.length, self.slots, self.masking)
        key = (file, stat.st_size, stat.st_mtime_ns, *choices)
        if key not in _counts:
            zero = tf.constant(0, "int64")
            rows = self.file_rows(tf.constant(file), zero, zero)
            _counts[key] = int(rows.reduce(zero, lambda n, _: n + 1))
        return _counts[key]

    def _packed(self, numbers: Tensor, records: Tensor) -> tuple[Tensor, Tensor]:
        instances = self._parsed(records)
        lengths = instances["lengths"]
        masks = tf.zeros_like(lengths)
        if self.masking is not None:
            masks = self.masking.budget(lengths)
        elif "mlm_weights" in instances:
            used = tf.cast(instances["mlm_weights"] > 0, "int32")
            masks = tf.reduce_sum(used, axis=1)
        most = self.pipeline.packing
        where, rows = first_fit(lengths, masks, self.length, self.slots, most)
        where = where[:rows]
        index = tf.maximum(where, 0)
        absent = where < 0
        numbers = tf.where(absent, tf.constant(-1, "int64"), tf.gather(numbers, index))
        return numbers, tf.where(absent, "", tf.gather(records, index))

    def _parsed(self, records: Tensor) -> dict[str, Tensor]:
        """Parse (N,) records to dense instances."""
        names = self.records.features
        floats = "masked_lm_weights"
        spec = {
            name: tf.io.RaggedFeature("float32" if name == floats else "int64")
            for name in names
        }
        found = tf.io.parse_example(records, spec)
        ids = found["input_ids"]
        lengths = tf.cast(ids.row_lengths(), "int32")
        if self.records.form != "dynamic":
            lengths = tf.cast(tf.reduce_sum(found["input_mask"], axis=1), "int32")
        checks = self._checks(found, lengths, tf.strings.length(records) == 0)

        def dense(name: str, width: int) -> Tensor:
            x = found[name].to_tensor(shape=[None, width])
            return x if name == floats else tf.cast(x, "int32")

        with tf.control_dependencies(checks):
            out = {
                "token_ids": dense("input_ids", self.length),
                "segment_ids": dense("segment_ids", self.length),
                "lengths": tf.identity(lengths),
            }
        if "token_boundary" in names:
            out["boundaries"] = dense("token_boundary", self.length)
        else:
            out["boundaries"] = tf.ones_like(out["token_ids"])
        if "next_sentence_labels" in names:
            out["pair_labels"] = dense("next_sentence_labels", 1)[:, 0]
        if self.records.form == "masked":
            out |= {
                f"mlm_{name}": dense(f"masked_lm_{name}", self.slots)
                for name in ("positions", "ids", "weights")
            }
        return out

    def _checks(
        self, found: dict[str, Any], lengths: Tensor, absent: Tensor
    ) -> list[Tensor]:
        """Refuse records with too few, too many or impossible values.

        On a GPU they would be read as zeros, and never be noticed.
        """

        def check(good: Tensor, message: str) -> Tensor:
            return tf.debugging.Assert(tf.reduce_all(good), [message])

        checks = [
            check(lengths <= self.length, f"more than {self.length} tokens"),
            check((lengths >= 2) | absent, "fewer than 2 tokens, or no input_ids"),
        ]
        for name, count in (
            ("next_sentence_labels", 1),
            ("masked_lm_positions", self.records.predictions),
        ):
            if name in found:
                held = found[name].row_lengths() == count
                checks.append(check(held | absent, f"not {count} {name}"))
        limits = limits_of(self.length, self.pipeline.vocab_size)
        for name, limit in limits.items():
            if name in found:
                values = found[name].values
                below = values < tf.constant(limit, values.dtype)
                checks.append(check((values >= 0) & below, f"{name} not below {limit}"))
        return checks

    def _masked(
        self, instances: dict[str, Tensor], boundaries: Tensor, seeds: Tensor
    ) -> dict[str, Tensor]:
        """Mask the instances; packed rows have places without one."""
        assert self.masking is not None
        given = [instances["token_ids"], instances["lengths"], boundaries, seeds]
        if not self.packs:
            return self.masking(*given)
        present = tf.where(instances["lengths"] > 0)
        out = self.masking(*(tf.gather_nd(x, present) for x in given))
        count = tf.shape(seeds, out_type=tf.int64)
        return {
            name: tf.scatter_nd(present, x, tf.concat([count, x.shape[1:]], axis=0))
            for name, x in out.items()
        }

    def batch(
        self, size: int, index: Tensor, epoch: Tensor, records: Tensor
    ) -> dict[str, Tensor]:
        """Return the batch of rows (B, S)."""
        most = self.pipeline.packing
        flat = tf.reshape(records, [-1])
        instances = self._parsed(flat)
        boundaries = instances.pop("boundaries")
        seed = self.pipeline.seed if self.masking is None else self.masking.seed
        seeds = instance_seeds(seed, tf.reshape(index, [-1]), tf.reshape(epoch, [-1]))
        if self.masking is not None:
            instances |= self._masked(instances, boundaries, seeds)
        instances["draw_seeds"] = seeds
        if self.pipeline.mirror:
            instances = mirrored(instances)
        if self.packs:
            batch = pack(instances, most, self.slots)
            batch["draw_seeds"] = tf.reshape(instances["draw_seeds"], [-1, most])[:, 0]
        else:
            lengths = instances.pop("lengths")
            batch = {
                **instances,
                "padding_mask": tf.sequence_mask(lengths, self.length),
            }
            if "pair_labels" in batch:
                batch["pair_weights"] = tf.ones([size])
        return {
            name: tf.ensure_shape(x, [size, *x.shape[1:]]) for name, x in batch.items()
        }
