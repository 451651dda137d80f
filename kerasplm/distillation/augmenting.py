"""The augmented training file of a distillation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from kerasplm._version import VERSION
from kerasplm.distillation.job import DistillationJob
from kerasplm.distillation.planning import check_augmented
from kerasplm.distillation.recipes import RECIPES, USUAL
from kerasplm.files import write_json
from kerasplm.run_folder import RESULTS, claim, content, digest, finished
from kerasplm.tasks import Task, task_named, with_labels


def augmented_file(
    job: DistillationJob,
    model: str,
    copies: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the training file with copies of each row, or go on with it.

    A file that is there already, of the same rows, model, copies and seed, is taken.

    Args:
        job: Tells the task, its data and the output folder.
        model: As for `load`, with an MLM head.
        copies: Of each row; 0 takes the number of the task's recipe.
        seed: Of the draws.
        progress: As for `augment_task`.

    Returns:
        The file, in the format of the task.

    Raises:
        ConfigError: No stage of the job takes it, the kind of its task has no
            augmentation, or the folder holds another augmentation.
    """
    check_augmented(job)
    from kerasplm.augmentation import augment_task
    from kerasplm.augmentation.layouts import check_task
    from kerasplm.tokenizing import load_tokenizer
    from kerasplm.zoo import load

    data = cast(Any, job.data)
    task = job.task if isinstance(job.task, Task) else task_named(str(job.task))
    check_task(task)  # before a model is loaded
    task = with_labels(task.at(data), data)
    copies = copies or RECIPES.get(task.name.lower(), USUAL).augment
    split = task.rows(data, "train")
    folder = Path(job.output).expanduser() / "augmented"
    file = folder / f"train{split.files[0].suffix}"
    facts = {
        "version": VERSION,
        "task": task.name,
        "data": content(split),
        "model": digest(model),
        "copies": copies,
        "seed": seed,
    }
    if finished(folder, facts) is not None and file.exists():
        return file
    claim(folder, facts)
    network = load(model, heads="pretraining")
    tokenizer = load_tokenizer(model, in_graph=False)
    augment_task(
        task,
        data,
        file,
        network,
        tokenizer,
        copies=copies,
        seed=seed,
        progress=progress,
    )
    write_json(folder / RESULTS, {"file": file.name})
    return file
