"""The variable lists and configurations of released checkpoints, without weights."""

from pathlib import Path

import numpy as np
import pytest

import kerasplm as plm
from kerasplm import checkpoint
from kerasplm.families import Hints, recognise
from kerasplm.files import read_json
from kerasplm.published import complete_config
from kerasplm.sources import Source

FOLDER = Path(__file__).parent / "published"
# Folder: family, weights without heads (computed from the configuration), heads.
EXPECTED = {
    "albert_tiny_zh.A": ("albert_brightmart", 4_175_152, 2),
    "albert_small_zh_google": ("albert", 4_742_272, 2),
    "albert_tiny_zh_google": ("albert", 4_080_520, 2),
    "chinese_simbert_L-4_H-312_A-12": ("simbert", 6_546_712 + 97_656, 1),
}


class Reader:
    """What `checkpoint.Reader` would say of the released file; values are zero."""

    def __init__(self, folder):
        self.prefix = folder / "model.ckpt"
        rows = (folder / "variables.txt").read_text().splitlines()
        cells = [row.split("\t") for row in rows]
        numbers = {name: shape.strip("[]") for name, shape, _ in cells}
        self.shapes = {
            name: tuple(int(n) for n in text.split(",")) if text else ()
            for name, text in numbers.items()
        }

    def read(self, name):
        return np.zeros(self.shapes[name], "float64")


@pytest.mark.parametrize("name", EXPECTED)
def test_released_checkpoint(name):
    family, parameters, heads = EXPECTED[name]
    folder = FOLDER / name
    reader = Reader(folder)
    found = recognise(reader.shapes, where=name, hints=Hints(path=name))
    assert found.family.name == family
    (file,) = Source(folder, None, name).configs()
    config, assumed = complete_config(
        found, reader.shapes, read_json(file), {}, str(file)
    )
    assert not assumed
    encoder = plm.Encoder(config)
    assert encoder.count_params() == parameters
    held = checkpoint.heads_in(found)
    assert len(held) == heads
    model = plm.PretrainedModel(encoder, held)
    report = checkpoint.load_weights(model, found, reader)
    assert not report.unused
    assert len(report.loaded) + len(report.slots) == len(reader.shapes)


def test_every_folder_is_tested():
    assert {folder.name for folder in FOLDER.iterdir()} == set(EXPECTED)
