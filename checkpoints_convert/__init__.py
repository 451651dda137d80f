"""Command-line procedures on checkpoints. Knowledge of formats lives in kerasplm."""
