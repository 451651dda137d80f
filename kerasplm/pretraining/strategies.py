"""On what a training runs: one processor, several GPUs, several machines, TPUs."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import tensorflow as tf

from kerasplm.errors import ConfigError

Name = Literal["auto", "cpu", "mirrored", "multi_worker", "tpu"]
NAMES: tuple[str, ...] = get_args(Name)


def strategy_of(
    name: str = "auto",
    *,
    tpu: str | None = None,
    zone: str | None = None,
    project: str | None = None,
) -> tf.distribute.Strategy:
    """Return the strategy under which to build and train a model.

    Call it before anything else of TensorFlow: machines and TPUs must be known before
    the first operation.

    Args:
        name: "cpu": one processor, GPUs or not. "mirrored": all GPUs of this machine,
            or its virtual processors if they were made. "multi_worker": the machines
            that the environment variable TF_CONFIG names; start the same command on
            each. "tpu": a TPU or a slice of a pod. "auto": the first that is there
            of: TPU (if `tpu` is given), several machines, several GPUs, one GPU, one
            processor.
        tpu: Name or address ("grpc://10.0.0.2:8470") of the TPU; "local" on a TPU VM.
        zone: Zone of a TPU that is given by name.
        project: Project of a TPU that is given by name.

    Returns:
        A strategy; TensorFlow's default one for one device.

    Raises:
        ConfigError: There is no such strategy, or it cannot be had here; says why.

    Example:
        >>> strategy_of("cpu").num_replicas_in_sync
        1
    """
    if name not in NAMES:
        raise ConfigError(f"strategy: no {name!r}; there are {', '.join(NAMES)}")
    if tpu is not None and name not in ("auto", "tpu"):
        raise ConfigError(f"strategy: {name!r} has no TPU. Received: tpu={tpu!r}")
    if tpu is None and name != "tpu" and (zone is not None or project is not None):
        raise ConfigError(
            "strategy: zone and project are of a TPU. Received: no tpu, "
            f"zone={zone!r}, project={project!r}"
        )
    if name == "tpu" or tpu is not None:
        return _tpu(tpu, zone, project)
    if name == "multi_worker" or (name == "auto" and "TF_CONFIG" in os.environ):
        return _multi_worker()
    gpus = tf.config.list_physical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return _mirrored()
    if name == "cpu" and gpus:
        return tf.distribute.OneDeviceStrategy("/device:CPU:0")
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files: the first of several, or the only one.

    Args:
        strategy: As `strategy_of` returned it.
    """
    resolver = strategy.cluster_resolver
    if not _of_workers(strategy) or resolver is None:
        return True
    if resolver.task_type == "chief":
        return True
    chiefs = resolver.cluster_spec().as_dict().get("chief", ())
    return resolver.task_type == "worker" and not chiefs and resolver.task_id == 0


def describe(strategy: tf.distribute.Strategy) -> str:
    """Return in a few words on what a training runs.

    Args:
        strategy: As `strategy_of` returned it.

    Example:
        >>> describe(strategy_of("cpu"))
        '1 replica'
    """
    count = strategy.num_replicas_in_sync
    if count == 1 and not _of_workers(strategy):
        return "1 replica"
    return f"{count} replicas, {type(strategy).__name__.removesuffix('Strategy')}"


def on_processor(strategy: tf.distribute.Strategy) -> int:
    """Return how many replicas share this machine's processor; 0: none.

    Args:
        strategy: As `strategy_of` returned it.

    Example:
        >>> on_processor(strategy_of("cpu"))
        1
    """
    kinds = ("GPU", "TPU")
    if any(tf.config.list_logical_devices(kind) for kind in kinds):
        return 0
    if strategy.num_replicas_in_sync == 1:
        return 1
    return len(strategy.extended.worker_devices)


def distribute(
    strategy: tf.distribute.Strategy,
    make: Callable[[tuple[int, int], int], tf.data.Dataset],
) -> Any:
    """Give each replica its rows of every batch.

    Replica r of n gets the rows from r/n to (r+1)/n of each, whatever the machines, so
    that the batches of a training are those of one device.

    Args:
        strategy: As `strategy_of` returned it.
        make: Makes a data set of (number of this machine, number of machines) and of
            the number of its replicas: the rows of this machine in so many parts, one
            after the other; see `divided`.

    Returns:
        A data set to iterate over, distributed if there are several replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1 and not _of_workers(strategy):
        return make((0, 1), 1)

    def its_own(context: tf.distribute.InputContext) -> tf.data.Dataset:
        machines = context.num_input_pipelines
        shard = (context.input_pipeline_id, machines)
        return make(shard, replicas // machines)

    return strategy.distribute_datasets_from_function(its_own)


def divided(
    batches: tf.data.Dataset, shard: tuple[int, int], replicas: int
) -> tf.data.Dataset:
    """Divide whole batches among machines and their replicas, as `distribute` wants.

    Args:
        batches: Dictionaries of (B, ...), B static and a multiple of all replicas.
        shard: Number of this machine, and of all.
        replicas: How many this machine has.

    Returns:
        `replicas` elements for each batch: the rows of this machine.

    Example:
        >>> whole = tf.data.Dataset.from_tensors({"x": [1, 2, 3, 4]})
        >>> [list(b["x"].numpy()) for b in divided(whole, (1, 2), 2)]
        [[3], [4]]
    """
    machine, machines = shard

    def pieces(batch: Mapping[str, Any]) -> dict[str, Any]:
        rows = next(iter(batch.values())).shape[0] // (machines * replicas)
        own = slice(machine * replicas * rows, (machine + 1) * replicas * rows)
        return {
            name: tf.reshape(x[own], [replicas, rows, *x.shape[1:]])
            for name, x in batch.items()
        }

    return batches.map(pieces).unbatch()


def check_same(strategy: tf.distribute.Strategy, step: int, folder: Path) -> None:
    """Make sure that all machines go on from the same step.

    Args:
        strategy: As `strategy_of` returned it.
        step: Where this one is.
        folder: Where it looked.

    Raises:
        ConfigError: Another one is elsewhere.
    """
    if not _of_workers(strategy):
        return

    def exchanged() -> Any:
        found = tf.constant([step, step**2], "float64")
        return tf.distribute.get_replica_context().all_reduce("MEAN", found)

    mean = strategy.experimental_local_results(strategy.run(tf.function(exchanged)))[0]
    if float(mean[0]) ** 2 != float(mean[1]):
        raise ConfigError(
            f"{folder}: this machine found step {step} there, another one did not; all "
            "need to see the same folder"
        )


def _of_workers(strategy: tf.distribute.Strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ConfigError(
            f"strategy 'mirrored' needs several GPUs, found {len(devices)} device "
            f"({devices[0].name}); 'auto' takes what there is"
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _multi_worker() -> tf.distribute.Strategy:
    example = (
        '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    text = os.environ.get("TF_CONFIG")
    if text is None:
        raise ConfigError(
            "strategy 'multi_worker' needs the environment variable TF_CONFIG on each "
            f"machine, such as {example}"
        )
    try:
        given = json.loads(text)
        workers = [
            address
            for kind in ("chief", "worker")
            for address in given["cluster"].get(kind, ())
        ]
        task = given["task"]
        if not workers or not given["cluster"][task["type"]][task["index"]]:
            raise ValueError("there is no such task in the cluster")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"TF_CONFIG: expected JSON such as {example}, found {text} ({error!r})"
        ) from error
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise ConfigError(
            f"strategy 'multi_worker' of {len(workers)} machines cannot start: {error}"
        ) from error


def _tpu(
    tpu: str | None, zone: str | None, project: str | None
) -> tf.distribute.Strategy:
    """Connect to a TPU, wipe its memory, and return its strategy."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            tpu=tpu, zone=zone, project=project
        )
        if tpu != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # whatever the cloud, the network or the TPU say
        found = "no name" if tpu is None else repr(tpu)
        raise ConfigError(
            "strategy 'tpu' needs a TPU that can be reached: its name with zone and "
            "project, its address 'grpc://HOST:8470', or 'local' on a TPU VM. "
            f"Received: {found} ({type(error).__name__}: {error})"
        ) from error
