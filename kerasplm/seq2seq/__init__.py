"""Encoder-decoder models: T5-PEGASUS."""
