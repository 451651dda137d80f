"""Command-line procedures on checkpoints. Knowledge of formats lives in kerasplm."""

import os

# TensorFlow's start-up messages would bury the results.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
