"""The data creators of the original repositories, draw for draw."""
