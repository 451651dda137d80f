"""Read what TensorBoard reads."""

import struct

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event


def scalars(folder):
    """Return (step, tag, value) of all event files of a folder, in order."""
    found = []
    for file in sorted(folder.glob("events*")):
        data, at = file.read_bytes(), 0
        while at < len(data):  # length, its checksum, event, its checksum
            (size,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + size])
            at += size + 16
            for value in event.summary.value:
                content = np.frombuffer(value.tensor.tensor_content, "float32")
                number = content if len(content) else value.tensor.float_val
                found.append((event.step, value.tag, float(number[0])))
    return found
