"""One distillation from names and files: what `kerasplm distill` does."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from kerasplm.distillation import stages as lessons
from kerasplm.distillation.answers import check_answers
from kerasplm.distillation.choices import Choices
from kerasplm.distillation.comparing import Compared, compare, write_comparison
from kerasplm.distillation.general import GeneralDistillation
from kerasplm.distillation.planning import AUGMENTED, STAGES, USUAL, check_job
from kerasplm.distillation.recipes import SOURCES, stage_choices
from kerasplm.distillation.students import check_vocabularies, write_student
from kerasplm.distillation.theseus import LinearReplacing
from kerasplm.errors import ConfigError
from kerasplm.evaluating import check_labels
from kerasplm.files import alone, write_json
from kerasplm.finetuning import Result, train_prepared
from kerasplm.lessons import Teach
from kerasplm.precision import computed_in
from kerasplm.pretraining.training_settings import Settings as GeneralSettings
from kerasplm.run_folder import RESULTS, claim, digest, finished, prepare
from kerasplm.sources import open_source
from kerasplm.tasks import Settings, Task, task_named, with_labels
from kerasplm.tasks.saved import saved_task
from kerasplm.zoo import Heads, load

Method = Literal["tinybert", "theseus"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistillationJob:
    """What to distil from what.

    Args:
        teacher: Folder that `finetune` wrote; with the stage "teacher" a model to
            fine-tune first; with "general" alone any model.
        output: Folder for the results, one folder for each stage.
        task: A task, its name, or a JSON file that declares it.
        data: Folder with the files of the task.
        student: Where the student begins, as for `load`; or one of the next two.
        student_config: Random weights: a configuration JSON or a name of the catalogue.
        student_layers: Some layers of the teacher: how many of the first ones, or
            which.
        family: Whose names the student gets, where `student_config` does not tell.
        method: "tinybert" or "theseus".
        stages: Some of `STAGES[method]`; default `USUAL[method]`.
        choices: Of the distillation.
        changes: Choices of the training in all stages on the task, fields of
            `Settings` and options of the kind of task.
        stage_changes: The same for single stages; they win.
        augmented: Training file for the intermediate and the prediction stage in the
            place of the task's own, as `kerasplm augment` writes it.
        cache_answers: Whether the teacher answers the training set once, kept on the
            disk, instead of in every epoch.
        replace: For "theseus": probability of a replacement at the beginning.
        replace_schedule: "constant", or "linear": it rises to 1 in the middle of the
            stage.
        general_data: Files of pre-training for the stage "general".
        general_teacher: Its teacher; default `teacher`.
        general: How to train there.
        general_masked: Whether tokens are masked there.
        strategy: On what to train there, see `strategy_of`.

    Raises:
        ConfigError: The choices contradict each other.

    Example:
        >>> DistillationJob(teacher="t", output="o", student="s", task="lcqmc",
        ...     data="d").plan
        ('intermediate', 'prediction')
    """

    teacher: str
    output: str | Path
    task: str | Task | None = None
    data: str | Path | None = None
    student: str | None = None
    student_config: str | None = None
    student_layers: int | Sequence[int] | None = None
    family: str | None = None
    method: Method = "tinybert"
    stages: tuple[str, ...] = ()
    choices: Choices = dataclasses.field(default_factory=Choices)
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stage_changes: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    augmented: str | None = None
    cache_answers: bool = False
    replace: float = 0.5
    replace_schedule: Literal["constant", "linear"] = "constant"
    general_data: Any = None
    general_teacher: str | None = None
    general: GeneralSettings | None = None
    general_masked: bool = False
    strategy: str = "auto"

    def __post_init__(self) -> None:
        """Check what can be checked without files."""
        check_job(self)

    @property
    def plan(self) -> tuple[str, ...]:
        """The stages in their order."""
        wanted = self.stages or USUAL[self.method]
        return tuple(name for name in STAGES[self.method] if name in wanted)

    @property
    def of_task(self) -> tuple[str, ...]:
        """The stages on the task."""
        return tuple(name for name in self.plan if name != "general")

    def run(self, verbose: int | str = "auto") -> list[Compared]:
        """Distil, or go on with it; stages that are finished are not done again.

        Args:
            verbose: As for `keras.Model.fit`.

        Returns:
            Teacher and student, compared; nothing after general distillation alone.

        Raises:
            PLMError: A file is broken or something does not fit.
        """
        folder = Path(self.output).expanduser()
        if folder.exists() and not folder.is_dir():
            raise ConfigError(
                f"{folder}: expected a folder for the results, found a file"
            )
        with alone(folder):
            return self._run(folder, verbose)

    def _run(self, folder: Path, verbose: int | str) -> list[Compared]:
        teacher: str | Path = self.teacher
        if "teacher" in self.plan:
            teacher = self._teach_teacher(folder / "teacher", verbose)
        known = digest(teacher)
        student = self._begin(folder / "student", teacher, known)
        check_vocabularies(teacher, student)
        if "prediction" in self.plan:  # before hours of other stages
            asked: Any = load(teacher, heads=cast(Heads, self._task().kind))
            check_answers(asked, asked)
        settings: Settings | None = None
        for stage in self.plan:
            if stage == "general":
                student = self._general(folder / stage, student)
            elif stage != "teacher":
                settings, student = self._stage(
                    stage, folder / stage, teacher, known, student, verbose
                )
        if settings is None:
            return []
        task = with_labels(self._task(), cast(Any, self.data))
        models = {"teacher": teacher, "student": student}
        plain = dataclasses.replace(settings, precision="float32")
        found = compare(models, task, cast(Any, self.data), plain)
        facts = {"task": task.name, "method": self.method, "stages": list(self.plan)}
        write_comparison(found, task, folder, facts)
        return found

    def _task(self) -> Task:
        return self.task if isinstance(self.task, Task) else task_named(str(self.task))

    def _teach_teacher(self, folder: Path, verbose: int | str) -> Path:
        """Fine-tune the teacher."""
        task, data = self._task(), cast(Any, self.data)
        settings = task.settings(model=self.teacher, **self._changes("teacher"))
        prepared = prepare(self.teacher, task, data, settings)
        if finished(folder, prepared.facts) is None:
            train_prepared(prepared, folder, verbose=verbose)
        return folder / "model"

    def _begin(self, folder: Path, teacher: str | Path, known: str) -> str | Path:
        """Return where the student begins.

        Args:
            folder: For one that is made.
            teacher: The teacher.
            known: Its digest.
        """
        if self.student is not None:
            return self.student
        layers = self.student_layers
        facts = {
            "teacher": known,
            "config": self.student_config,
            "layers": layers if isinstance(layers, int | None) else list(layers),
            "family": self.family,
            "seed": self.changes.get("seed", 0),
        }
        if finished(folder, facts) is None:
            claim(folder, facts)
            write_student(
                folder,
                teacher,
                config=self.student_config,
                layers=layers,
                family=self.family,
                seed=facts["seed"],
            )
            write_json(folder / RESULTS, {"student": "written"})
        return folder

    def _general(self, folder: Path, student: str | Path) -> Path:
        """Distil on raw text."""
        assert self.general is not None
        result = GeneralDistillation(
            teacher=str(self.general_teacher or self.teacher),
            model=str(student),
            data=self.general_data,
            output=folder,
            choices=self.choices,
            masked=self.general_masked,
            settings=self.general,
            strategy=self.strategy,
        ).run()
        step = result.position.best_step or result.position.step
        return folder / "checkpoints" / f"step-{step:08d}"

    def _changes(self, stage: str) -> dict[str, Any]:
        """Return what the user wants of a stage; what is left is the recipe's."""
        asked = {**self.changes, **self.stage_changes.get(stage, {})}
        found = {key: value for key, value in asked.items() if value is not None}
        if self.augmented is not None and stage in AUGMENTED:
            found["train"] = self.augmented
        return found

    def _stage(
        self,
        stage: str,
        folder: Path,
        teacher: str | Path,
        known: str,
        student: str | Path,
        verbose: int | str,
    ) -> tuple[Settings, Path]:
        """Run one stage on the task; return its settings and where the student is."""
        task, data = self._task(), cast(Any, self.data)
        with open_source(teacher) as source:
            saved = saved_task(source.folder)
        trained: dict[str, Any] = {}
        if saved is not None:  # the same options, such as decoders and windows
            options = dataclasses.asdict(saved[1].options)
            trained = {"max_length": saved[1].max_length, **options}
        settings = task.settings(
            model=teacher,
            **{**trained, **stage_choices(task.name, stage), **self._changes(stage)},
        )
        # That of the teacher would be taken for the student's; packing, which the
        # recipe of a task may have, is for fine-tuning.
        settings = dataclasses.replace(settings, family=None, packing=False, jit=None)
        prepared = prepare(student, task, data, settings)
        facts = {
            "method": self.method,
            "stage": stage,
            "source": SOURCES[stage],
            "teacher": known,
            "choices": dataclasses.asdict(self.choices),
            "replace": [self.replace, self.replace_schedule],
        }
        facts = dict(json.loads(json.dumps({**prepared.facts, "distillation": facts})))
        prepared = dataclasses.replace(prepared, facts=facts)
        if finished(folder, facts) is not None:
            return settings, folder / "model"
        claim(folder, facts)
        with computed_in(settings.precision, mixed=True):
            heads = cast(Heads, prepared.task.kind)
            network: Any = load(teacher, heads=heads)
        check_labels(network, prepared.task)
        teach = self._teach(stage, network, student, folder, facts)
        result: Result = train_prepared(prepared, folder, verbose=verbose, teach=teach)
        return settings, result.folder / "model"

    def _teach(
        self,
        stage: str,
        teacher: Any,
        student: str | Path,
        folder: Path,
        facts: Mapping[str, Any],
    ) -> Teach:
        if stage == "intermediate":
            return lessons.intermediate(teacher, self.choices, student)
        if stage == "prediction":
            cache = folder / "answers" if self.cache_answers else None
            key = facts["distillation"]["teacher"]
            return lessons.prediction(teacher, self.choices, cache=cache, digest=key)
        if stage == "replacing":
            linear = self.replace_schedule == "linear"
            return lessons.replacing(
                teacher,
                lambda steps: (
                    LinearReplacing(self.replace, max(1, steps // 2))
                    if linear
                    else self.replace
                ),
            )
        return lessons.continued(student)
