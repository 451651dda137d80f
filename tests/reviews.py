"""A tiny sentiment task that a tiny network learns in seconds."""

import kerasplm as plm
from kerasplm import finetuning

GOOD, BAD = "好美香快乐净", "坏丑臭慢苦脏"
FILLER = "这家店的面条房间手机书和人都很太不"
VOCAB = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *dict.fromkeys(GOOD + BAD + FILLER),
]


def review(rng, label):
    words = rng.choice(list(FILLER), rng.integers(2, 9)).tolist()
    words.insert(rng.integers(len(words) + 1), rng.choice(list((BAD, GOOD)[label])))
    return "".join(words)


RECIPE = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "max_length": 20,
    "save_steps": 3,
    "seed": 3,  # so few updates are not enough for each one
}


def train(place, output, callbacks=(), **changes):
    return finetuning.finetune(
        place / "model",
        "chnsenticorp",
        place / "data",
        output,
        settings=plm.TASKS["chnsenticorp"].settings(**(RECIPE | changes)),
        verbose=0,
        callbacks=callbacks,
    )
