"""Published recipes and scores of fine-tuning, as data with their sources.

Pure data and look-ups: neither Keras nor TensorFlow is imported here, and the tables
are read when they are first asked for.
"""

from kerasplm.recipes.base import RecipeRow, Score
from kerasplm.recipes.names import OTHER_TASKS, TASKS
from kerasplm.recipes.recipe import Citation, Recipe
from kerasplm.recipes.scores import closest, published_scores
from kerasplm.recipes.selection import recipe_for, recipes

__all__ = [
    "OTHER_TASKS",
    "TASKS",
    "Citation",
    "Recipe",
    "RecipeRow",
    "Score",
    "closest",
    "published_scores",
    "recipe_for",
    "recipes",
]
