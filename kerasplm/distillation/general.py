"""General distillation: a student learns the inside of a teacher on raw text."""

import dataclasses
from typing import Any

import keras

from kerasplm.checkpoint import body_of
from kerasplm.distillation.choices import Choices
from kerasplm.distillation.model import Distillation
from kerasplm.distillation.planning import check_general
from kerasplm.distillation.stages import take_projection
from kerasplm.distillation.students import check_vocabularies
from kerasplm.errors import ConfigError
from kerasplm.pretraining.jobs import PretrainingJob
from kerasplm.pretraining.sources import Records
from kerasplm.run_folder import digest
from kerasplm.zoo import load


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneralDistillation(PretrainingJob):
    """Distil on the instances of pre-training, with all that pre-training can do.

    Strategies, stages, resume, checkpoints, logs and exports are those of
    `PretrainingJob`; what is exported is the student.

    Args:
        teacher: As for `load`; its encoder is learned.
        choices: Of the distillation.
        masked: Whether tokens of the inputs are masked. TinyBERT's second version has
            no masks: nothing is predicted, masks only disturb the input.

    Raises:
        ConfigError: The choices contradict each other, or there is no student.

    Example:
        >>> GeneralDistillation(teacher="bert-base-zh.google", model="student",
        ...     data="wiki", output="out").masked
        False

    Source: huawei-noah/Pretrained-Language-Model TinyBERT, general_distill.py.
    """

    teacher: str = ""
    choices: Choices = dataclasses.field(default_factory=Choices)
    masked: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without files."""
        super().__post_init__()
        if not self.teacher or self.model is None:
            raise ConfigError("general distillation needs a teacher and a student")
        if self.is_electra:
            raise ConfigError("general distillation has no objectives of its own")
        check_general(self.choices, self.settings)

    @property
    def _names(self) -> list[str]:
        return []

    def _objective_fields(self) -> list[tuple[str, ...]]:
        return [("mlm_positions",)] if self.masked else []

    def _model(self) -> keras.Model:
        check_vocabularies(self.teacher, str(self.vocab or self.model))
        teacher = body_of(load(self.teacher))
        student = load(str(self.model), family=self.family, **self.fields)
        model = Distillation(teacher, student, **self.choices.of_layers())
        if "fit_dense" in student.load_report.heads:
            take_projection(model, str(self.model), student.load_report.family)
        return model

    def _facts(self, tokenizer: Any, records: Records) -> dict[str, Any]:
        chosen = dataclasses.asdict(self.choices)
        layers = chosen["layer_map"]
        chosen["layer_map"] = layers if isinstance(layers, str) else list(layers)
        return super()._facts(tokenizer, records) | {
            "teacher": digest(self.teacher),
            "distillation": {**chosen, "masked": self.masked},
        }
