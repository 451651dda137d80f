"""Write a model under its TF1 names and restore it with a TF1 Saver.

python examples/back_to_tf1.py [DIR]
"""

import sys
import tempfile
from pathlib import Path

import tensorflow as tf

import kerasplm as plm
from kerasplm.demo import MODEL

folder = sys.argv[1] if len(sys.argv) > 1 else MODEL
model = plm.load(folder, heads="pretraining")

with tempfile.TemporaryDirectory() as out:
    prefix = str(Path(out) / "bert_model.ckpt")
    plm.save_checkpoint(model, prefix)
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {
            name: tf.compat.v1.get_variable(name, shape)
            for name, shape in shapes.items()
        }
        tf.compat.v1.train.Saver(variables).restore(session, prefix)
        norm = session.run(tf.linalg.global_norm(list(variables.values())))
print(f"restored {len(shapes)} variables, norm {norm:.4f}; the first ones:")
for name in sorted(shapes)[:5]:
    print(" ", name, shapes[name])
