"""Export models for other runtimes, each file proven against the Keras model."""

from kerasplm.runtimes.checking import compare_scores
from kerasplm.runtimes.litert import export_litert
from kerasplm.runtimes.onnx import export_onnx

__all__ = ["compare_scores", "export_litert", "export_onnx"]
