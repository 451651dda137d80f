"""The augmented training file of a distillation."""

from pathlib import Path

from kerasplm.distillation.job import DistillationJob
from kerasplm.distillation.recipes import RECIPES, USUAL
from kerasplm.errors import ConfigError
from kerasplm.tasks import task_named
from kerasplm.tasks.task import Task


def augmented_file(job: DistillationJob, model: str, copies: int, seed: int) -> Path:
    """Write the training file with copies of each row, or go on with it.

    Args:
        job: Tells the task, its data and the output folder.
        model: As for `load`, with an MLM head.
        copies: Of each row; 0 takes the number of the task's recipe.
        seed: Of the draws.

    Returns:
        The file, in the format of the task.

    Raises:
        ConfigError: There is no task, or its kind has no augmentation.
    """
    from kerasplm.augmentation import augment_task
    from kerasplm.tokenizing import load_tokenizer
    from kerasplm.zoo import load

    if job.task is None or job.data is None:
        raise ConfigError("augmentation needs a task and its data")
    task = job.task if isinstance(job.task, Task) else task_named(job.task)
    copies = copies or RECIPES.get(task.name.lower(), USUAL).augment
    suffix = task.format.find(job.data, "train")[0].suffix
    output = Path(job.output).expanduser()
    file = output / "augmented" / f"train_{copies}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    network = load(model, heads="pretraining")
    tokenizer = load_tokenizer(model, in_graph=False)
    augment_task(task, job.data, file, network, tokenizer, copies=copies, seed=seed)
    return file
