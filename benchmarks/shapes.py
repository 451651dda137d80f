"""Shapes of BERT that several benchmarks compare."""

# Layers, hidden size, heads, intermediate size.
SHAPES = {"base": (12, 768, 12, 3072), "tiny": (4, 312, 12, 1248)}
WORDS = 21128
