"""Fine-tune in a script of one's own, with stock Keras callbacks.

    python examples/finetune_with_keras.py [MODEL_DIR] [DATA_DIR]

The data are train.tsv and dev.tsv in ChnSentiCorp's format (label, text).
"""

import sys

import keras

import kerasplm as plm
from kerasplm.demo import MODEL, REVIEWS

folder = sys.argv[1] if len(sys.argv) > 1 else MODEL
data = sys.argv[2] if len(sys.argv) > 2 else REVIEWS

keras.utils.set_random_seed(0)
task = plm.TASKS["chnsenticorp"]
tokenizer = plm.load_tokenizer(folder)
options = {"tokenizer": tokenizer, "batch_size": 16, "max_length": 64}
train = task.dataset(data, "train", **options)
dev = task.dataset(data, "dev", **options)

model = task.model(plm.load(folder), optimizer=plm.adamw(3e-4, steps=2 * len(train)))
model.fit(
    train,
    validation_data=dev,
    epochs=2,
    verbose=2,
    shuffle=False,  # the data set shuffles itself
    callbacks=[keras.callbacks.EarlyStopping(patience=2)],
)
