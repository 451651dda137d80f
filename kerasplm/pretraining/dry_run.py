"""What a pre-training would need, told before it begins."""

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import Any

from kerasplm.ahead import empty
from kerasplm.config import Config
from kerasplm.errors import ConfigError
from kerasplm.layers import initialize_with
from kerasplm.pretraining.estimate import UTILISATION, Estimate, Network, estimate
from kerasplm.pretraining.hardware import hardware_named, machine_memory
from kerasplm.pretraining.jobs import PretrainingJob
from kerasplm.pretraining.recipe import PretrainingRecipe
from kerasplm.pretraining.starting import electra_model, pretraining_model
from kerasplm.pretraining.strategies import on_processor
from kerasplm.pretraining.training_settings import Settings
from kerasplm.reporting import print_table
from kerasplm.zoo import load_config

_log = logging.getLogger("kerasplm")

# What is shown if no hardware is named.
USUAL = ("v100*8", "a100*8", "tpu-v3*8", "tpu-v3*256")
# The runtime itself takes some memory.
ROOM = 0.9


def choices_of(recipe: PretrainingRecipe) -> dict[str, Any]:
    """Return what a recipe says in the words of the command line.

    Args:
        recipe: The recipe.

    Example:
        >>> from kerasplm.pretraining.recipes import recipe_named
        >>> choices_of(recipe_named("albert-tiny"))["mask_prob"]
        0.1
    """
    data = recipe.data
    found: dict[str, Any] = {
        **recipe.training,
        "objective": list(recipe.objectives),
        "mask_prob": data.get("masked_lm_prob"),
        "max_predictions": data.get("max_predictions"),
        "ngram": data.get("ngram"),
        "whole_words": data.get("whole_words", "none") != "none" or None,
    }
    begin = "model" if recipe.start else "config"
    found[begin] = recipe.start or recipe.model
    return {name: value for name, value in found.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Work:
    """What a job computes.

    Args:
        networks: The encoders that run in one step.
        parameters: Trained weights.
    """

    networks: Sequence[Network]
    parameters: int

    def estimate(self, settings: Settings, replicas: int = 1) -> Estimate:
        """Estimate it with some choices.

        Args:
            settings: The choices.
            replicas: Over which a batch is divided.
        """
        parts = [(s.steps, s.length, s.batch_size) for s in settings.parts()]
        return estimate(
            self.networks,
            self.parameters,
            parts,
            replicas=replicas,
            accumulation=settings.accumulation,
            precision=settings.precision,
            recompute=settings.recompute,
        )


def work_of(job: PretrainingJob) -> Work:
    """Return what a job computes; its data and vocabulary are not read.

    Args:
        job: The job.

    Raises:
        PLMError: The configuration is missing or broken.
    """
    config = load_config(str(job.model or job.config), family=job.family, **job.fields)
    if not isinstance(config, Config):
        raise ConfigError(f"{job.model or job.config}: expected an encoder")
    model: Any
    with initialize_with(empty):
        if job.is_electra:
            model = electra_model(config, **job.electra)
        else:
            model = pretraining_model(config, job.chosen())
    trained = sum(math.prod(v.shape) for v in model.trainable_variables)
    longest = max(stage.length for stage in job.settings.parts())
    return Work(_networks(job, model, longest), trained)


def _networks(job: PretrainingJob, model: Any, longest: int) -> list[Network]:
    found = []
    for network in getattr(model, "networks", [model]):
        scored = job.masks.predictions(longest)
        if not job.is_electra and job.chosen()[0].attention != "bidirectional":
            scored = longest  # a generator scores every token
        found.append(
            Network(
                config=network.encoder.config,
                predictions=scored if "mlm" in network.heads else 0,
                rtd="rtd" in network.heads,
            )
        )
    return found


def too_large(job: PretrainingJob, replicas: int = 1, here: int = 1) -> str | None:
    """Say that a training on this machine's processor needs more memory than it has.

    Args:
        job: The job.
        replicas: Over which a batch is divided.
        here: Those of this machine.

    Returns:
        A sentence; None: it fits, as far as is known.
    """
    room = machine_memory()
    needed = work_of(job).estimate(job.settings, replicas).memory * here
    if room is None or needed <= room:
        return None
    return (
        f"about {_bytes(needed)} of memory are needed, and this machine has "
        f"{_bytes(room)}: smaller rows or batches need less, and so do --accumulation "
        "and --recompute"
    )


def warn_of_memory(job: PretrainingJob, strategy: Any) -> None:
    """Log it before the training; accelerators tell when they fail.

    Args:
        job: The job.
        strategy: Of `strategy_of`.
    """
    here = on_processor(strategy)
    replicas = strategy.num_replicas_in_sync
    if here and (problem := too_large(job, replicas, here)):
        _log.warning("%s", problem)


def print_estimate(
    job: PretrainingJob, hardware: Sequence[str] = (), utilisation: float | None = None
) -> None:
    """Print what a job needs: once, and on each hardware.

    Args:
        job: The job.
        hardware: As for `hardware_named`; some usual ones if there are none.
        utilisation: Share of the peak that is reached; None: 0.4.

    Raises:
        ConfigError: There is no such hardware.
    """
    utilisation = UTILISATION if utilisation is None else utilisation
    if not 0 < utilisation <= 1:
        raise ConfigError(f"utilisation must be in (0, 1]. Received: {utilisation}")
    settings = job.settings
    work = work_of(job)
    whole = work.estimate(settings)
    rows: list[tuple[object, ...]] = [
        ("trained weights", f"{whole.parameters:,}"),
        ("updates", f"{whole.steps:,}"),
        ("tokens", f"{whole.tokens:,}"),
        ("operations per update", f"{whole.flops_per_step:.3g}"),
        ("operations in all", f"{whole.flops_per_step * whole.steps:.3g}"),
        ("weights, gradients, moments", _bytes(whole.state_bytes)),
    ]
    stages = ", ".join(
        f"{n:,} × {size} × {length}"
        for n, length, size in (
            (stage.steps, stage.length, stage.batch_size) for stage in settings.parts()
        )
    )
    if held := machine_memory():
        memory = f"{_bytes(whole.memory)} of {_bytes(held)}"
        rows.append(("memory on this machine's processor", memory))
    print_table(f"updates × rows × tokens: {stages}", ("what", "amount"), rows)
    found = []
    for name in hardware or USUAL:
        kind, replicas = hardware_named(name)
        here, parts = work.estimate(settings, replicas), settings.accumulation
        room = kind.memory * ROOM
        own = -(-settings.batch_size // replicas)
        while here.memory > room and parts < own:
            parts *= 2
            changed = dataclasses.replace(settings, accumulation=parts)
            here = work.estimate(changed, replicas)
        needs = str(parts) if here.memory <= room else "too large"
        seconds = here.seconds(kind, replicas, settings.precision, utilisation)
        of = f"{_bytes(here.memory)} of {_bytes(int(kind.memory))}"
        found.append((name, needs, of, _time(seconds)))
    columns = ("hardware", "--accumulation", "memory per replica", "time")
    title = f"{settings.precision}, {utilisation:.0%} of the peak"
    print_table(title, columns, found)
    if problem := too_large(job):
        print(f"warning: {problem}")


def _bytes(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB"


def _time(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
