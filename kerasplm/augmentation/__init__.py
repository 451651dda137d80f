"""Data augmentation for distillation: rows of a task in other words."""

from kerasplm.augmentation.augmenter import ContextualAugmenter, Place
from kerasplm.augmentation.statistics import Statistics
from kerasplm.augmentation.task import augment_task
from kerasplm.augmentation.vectors import WordVectors

__all__ = [
    "ContextualAugmenter",
    "Place",
    "Statistics",
    "WordVectors",
    "augment_task",
]
