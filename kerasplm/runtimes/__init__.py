"""Export models for other runtimes, each file proven against the Keras model."""

from kerasplm.runtimes.litert import export_litert
from kerasplm.runtimes.onnx import export_onnx

__all__ = ["export_litert", "export_onnx"]
