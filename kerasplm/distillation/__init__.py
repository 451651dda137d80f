"""Distillation: a small student learns what a large teacher computes."""
