"""Pre-training: data creation, objectives, training loop."""
