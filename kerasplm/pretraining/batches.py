"""From records to batches: shuffled, masked, packed, and resumable at any batch.

Letters: B rows of a batch, S instances of a row at most, T tokens, P masked positions.

The instances of an epoch run through the files in an order drawn from (seed, epoch).
They are cut into windows, and each window is shuffled by (seed, epoch, number of the
window). So the place of every instance is known, and a training goes on at batch n by
skipping whole files and windows: nothing has to be kept, nothing is masked in vain.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasplm.errors import ConfigError, DataError
from kerasplm.pretraining.dynamic import instance_seeds
from kerasplm.pretraining.making import Maker
from kerasplm.pretraining.pipeline import Data, Pipeline
from kerasplm.pretraining.sources import Records, find_records
from kerasplm.pretraining.stages import Stage

Tensor = Any

# Seeds of the draws must not meet those of the masks.
_FILES, _WINDOWS = 101, 102


def batches(
    data: Data,
    length: int,
    batch_size: int,
    pipeline: Pipeline,
    *,
    max_predictions: int | None = None,
    start: int = 0,
    offset: int = 0,
) -> tf.data.Dataset:
    """Return batches of one static shape.

    Args:
        data: As for `find_records`.
        length: T; no instance may be longer.
        batch_size: B, over all workers and replicas.
        pipeline: How they are made.
        max_predictions: P; None means that of the masking or of the records.
        start: Batches that were already taken; they are skipped.
        offset: Rows before the first batch that were already taken.

    Returns:
        Batches of dictionaries: `token_ids`, `segment_ids` (B, T) int32,
        `padding_mask` (B, T) bool, `draw_seeds` (B,) int32; with masks
        `mlm_positions`, `mlm_ids` (B, P) int32, `mlm_weights` (B, P) float32; if the
        instances have labels `pair_labels` (B,) int32, `pair_weights` (B,) float32.
        Packed rows also have `pack_ids`, `position_ids` (B, T) and `first_positions`
        (B, S) int32; their labels and weights are (B, S).

    Raises:
        DataError: As for `find_records`, or instances are longer than T.
        ConfigError: The batch cannot be divided, or records with masks are to be
            masked.

    Example:
        >>> batches("data/wiki", 128, 256, Pipeline(masking=masking))  # doctest: +SKIP
    """
    records = find_records(data)
    masking = pipeline.masking
    _check(records, length, batch_size, pipeline, max_predictions)
    if masking is not None and max_predictions is not None:
        masking = dataclasses.replace(masking, max_predictions=max_predictions)
    slots = records.predictions if max_predictions is None else max_predictions
    if masking is not None:
        slots = masking.max_predictions
    maker = Maker(records, length, slots, masking, pipeline)
    taken = start * batch_size // (2 if pipeline.mirror else 1) + offset
    rows = _rows(maker, taken)
    worker, workers = pipeline.shard
    share = batch_size // workers
    part = share // pipeline.replicas
    pairs = 2 if pipeline.mirror else 1
    rows = rows.rebatch(batch_size // pairs, drop_remainder=True)
    if workers > 1:
        own = slice(worker * share // pairs, (worker + 1) * share // pairs)
        rows = rows.map(lambda *x: tuple(one[own] for one in x))
    if pipeline.replicas > 1:
        rows = rows.rebatch(part // pairs, drop_remainder=True)
    return rows.map(
        functools.partial(maker.batch, part),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)


def staged_batches(
    data: Data, stages: Sequence[Stage], pipeline: Pipeline, *, start: int = 0
) -> list[tuple[Stage, int, Callable[[], tf.data.Dataset]]]:
    """Return what is left of a training in stages.

    A stage with the data of the one before goes on where that ended, so that a growing
    batch does not see instances twice. With packing it does so if T and P are the same
    too.

    Args:
        data: As for `find_records`.
        stages: One after the other, such as 128 tokens, then 512.
        pipeline: How batches are made.
        start: Batches that were already taken, of all stages together.

    Returns:
        For each stage that is not done: the stage, its batches that are left, and a
        function that gives them.

    Raises:
        DataError: As for `batches`.
        ConfigError: As for `batches`, or there is no stage.

    Example:
        >>> for stage, steps, dataset in staged_batches(  # doctest: +SKIP
        ...     "data/wiki", stages, pipeline, start=5000
        ... ):
        ...     model.fit(dataset(), steps_per_epoch=steps)
    """
    if not stages:
        raise ConfigError("expected one stage or more, found none")
    left: list[tuple[Stage, int, Callable[[], tf.data.Dataset]]] = []
    before: tuple[Any, ...] = ()
    offset = passed = 0
    pairs = 2 if pipeline.mirror else 1
    for stage in stages:
        source = find_records(data if stage.data is None else stage.data)
        shape = (stage.length, stage.max_predictions) if pipeline.packing > 1 else ()
        offset = offset if (source, shape) == before else 0
        _check(source, stage.length, stage.batch_size, pipeline, stage.max_predictions)
        done = min(max(start - passed, 0), stage.steps)
        if done < stage.steps:
            make = functools.partial(
                _staged, source, stage, pipeline, start=done, offset=offset
            )
            left.append((stage, stage.steps - done, make))
        before = (source, shape)
        offset += stage.steps * stage.batch_size // pairs
        passed += stage.steps
    return left


def _staged(
    source: Records, stage: Stage, pipeline: Pipeline, start: int, offset: int
) -> tf.data.Dataset:
    return batches(
        source,
        stage.length,
        stage.batch_size,
        pipeline,
        max_predictions=stage.max_predictions,
        start=start,
        offset=offset,
    ).take((stage.steps - start) * pipeline.replicas)


def _check(
    records: Records,
    length: int,
    batch_size: int,
    pipeline: Pipeline,
    max_predictions: int | None,
) -> None:
    parts = pipeline.shard[1] * pipeline.replicas * (2 if pipeline.mirror else 1)
    if batch_size < 1 or batch_size % parts:
        raise ConfigError(
            f"batch_size must be a multiple of {parts} (workers, their replicas, rows "
            f"of a pair). Received: {batch_size}"
        )
    if records.form == "dynamic" and records.length > length:
        raise DataError(
            f"{Path(records.files[0]).parent}: holds instances of up to "
            f"{records.length} tokens, more than length={length}. Create data of that "
            "length"
        )
    if records.form == "masked" and pipeline.masking is not None:
        raise ConfigError(
            f"{records.files[0]}: holds masks of its own: no masking is to be given"
        )
    if records.form == "masked" and (max_predictions or 2**31) < records.predictions:
        raise ConfigError(
            f"{records.files[0]}: holds {records.predictions} slots for masks, more "
            f"than max_predictions={max_predictions}"
        )


def _rows(maker: Maker, taken: int) -> tf.data.Dataset:
    """Return windows of rows from a place on: (index, epoch, record), (n, S) each."""
    pipeline, records = maker.pipeline, maker.records
    window = pipeline.shuffle_buffer
    # Only a packed training that goes on has to know how many rows a file gives.
    counts = list(records.counts)
    if maker.packs and taken:
        counts = [maker.count(file) for file in records.files]
    epoch, place = divmod(taken, sum(counts))
    first, rest = divmod(place, window)
    bases = [sum(records.counts[:n]) for n in range(len(records.files))]

    def epoch_rows(number: Tensor) -> tf.data.Dataset:
        here = tf.equal(number, epoch)
        order = tf.range(len(counts))
        if pipeline.shuffle:
            order = _shuffled(len(counts), pipeline.seed + _FILES, number, number)
        sizes = tf.gather(tf.constant(counts, "int64"), order)
        before = tf.cumsum(sizes, exclusive=True)
        skip = tf.where(here, first * window, 0)
        skips = tf.clip_by_value(tf.cast(skip, "int64") - before, 0, sizes)
        # Files that are passed over are not even opened.
        keep = (skips < sizes) if taken else tf.ones_like(sizes, "bool")
        files = tf.data.Dataset.from_tensor_slices(
            tuple(
                tf.boolean_mask(x, keep)
                for x in (
                    tf.gather(tf.constant(records.files), order),
                    tf.gather(tf.constant(bases, "int64"), order),
                    skips,
                )
            )
        )
        rows = files.flat_map(maker.file_rows).batch(window)
        start = tf.where(here, tf.constant(first, "int64"), 0)

        def mixed(number_of: Tensor, row: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            index, serialized = row
            if pipeline.shuffle:
                seed = pipeline.seed + _WINDOWS
                order = _shuffled(tf.shape(index)[0], seed, number, number_of)
                index, serialized = (
                    tf.gather(index, order),
                    tf.gather(serialized, order),
                )
            drop = tf.where(here & (number_of == first), rest, 0)
            index, serialized = index[drop:], serialized[drop:]
            return index, tf.fill(tf.shape(index), number), serialized

        return rows.enumerate(start).map(mixed)

    last = 2**31 if pipeline.epochs is None else pipeline.epochs
    return tf.data.Dataset.range(epoch, max(epoch, last)).flat_map(epoch_rows)


def _shuffled(count: Tensor, seed: int, epoch: Tensor, number: Tensor) -> Tensor:
    """Return a permutation that depends on the seed and two numbers."""
    first = instance_seeds(seed, tf.reshape(number, [1]), tf.reshape(epoch, [1]))[0]
    draws = tf.random.stateless_uniform(
        [count], [first, seed % 2**31], None, None, "int32", alg="philox"
    )
    return tf.argsort(draws, stable=True)
