"""Time, size and exactness of the exports to ONNX and LiteRT.

    pip install '.[export]'
    python -m benchmarks.export_runtimes

Exports BERT-base with random weights in every form. Each export runs its file and
compares it with the Keras model; the times include that.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import kerasplm as plm
from kerasplm.reporting import print_table

FORMS = {
    "ONNX, up to 512 tokens": ("model.onnx", plm.export_onnx),
    "ONNX int8": ("i8.onnx", partial(plm.export_onnx, quantize="int8")),
    "LiteRT float32, 1 x 128": ("model.tflite", plm.export_litert),
    "LiteRT float16": ("f16.tflite", partial(plm.export_litert, quantize="float16")),
    "LiteRT dynamic": ("i8.tflite", partial(plm.export_litert, quantize="dynamic")),
}


def main() -> None:
    model = plm.Encoder(plm.Config(vocab_size=21128))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for form, (name, export) in FORMS.items():
            path = Path(folder) / name
            begin = time.perf_counter()
            delta = export(model, path)
            seconds = time.perf_counter() - begin
            rows.append((form, seconds, path.stat().st_size / 1e6, delta))
            path.unlink()
    print_table("BERT-base", ("export", "seconds", "MB", "max |Δ|"), rows)


if __name__ == "__main__":
    main()
