"""What each library computes in a process of its own, for `benchmarks.gpu`.

The snippets of backends define `device()`, `peak()` (bytes) and `product(size)`, those
of libraries `run(count)`, which ends when all is computed.
"""

START = """
import json, os, sys, time
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = backend = job["backend"]
import numpy as np
numbers, training = job.get("numbers"), job.get("work") == "training"
compiled, fields, lengths = job["compiled"], job.get("fields"), job.get("lengths")
if lengths:
    rows, tokens = len(lengths), max(lengths)
    mask = np.arange(tokens)[None] < np.array(lengths)[:, None]
    ids = np.random.default_rng(0).integers(5, fields["vocab_size"], mask.shape) * mask
    labels = np.arange(rows) % 2
def seconds(run, count):
    begin = time.perf_counter()
    run(count)
    return time.perf_counter() - begin
def stretches(run):  # seconds of one of the runs, in stretches that are long enough
    run(2)
    count = max(1, round(job["seconds"] / seconds(run, 1)))
    return [seconds(run, count) / count for _ in range(job["repeats"])]
"""

# What the libraries tell of the device, and how fast it multiplies.
TENSORFLOW = """
import tensorflow as tf
def device():
    found = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(found[0]).get(
        "device_name", "GPU") if found else None
def peak():
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]
def product(size):
    x = tf.cast(tf.random.normal([size, size]), numbers)
    times = tf.function(tf.linalg.matmul, autograph=False)
    return lambda count: [times(x, x) for _ in range(count)][-1][0, 0].numpy()
"""
JAX = """
import jax
def device():
    found = jax.devices()[0]
    return found.device_kind if found.platform == "gpu" else None
def peak():
    return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
def product(size):
    x = jax.random.normal(jax.random.key(0), (size, size)).astype(numbers)
    times = jax.jit(jax.numpy.matmul)
    return lambda count: [times(x, x) for _ in range(count)][-1].block_until_ready()
"""
TORCH = """
import torch
torch.set_float32_matmul_precision("high")
place = "cuda" if torch.cuda.is_available() else "cpu"
def device():
    return torch.cuda.get_device_name() if place == "cuda" else None
def peak():
    return torch.cuda.max_memory_allocated()
def product(size):
    x = torch.randn(size, size, device=place).to(getattr(torch, numbers))
    return lambda count: [x @ x for _ in range(count)][-1][0, 0].item()
"""

KERASPLM = """
import keras
import kerasplm as plm
from kerasplm.optimization import AdamW
from kerasplm.precision import computed_in
on_gpu = device() is not None
with computed_in(numbers, mixed=training):
    model = plm.Classifier(plm.Encoder(plm.Config(**fields)), ["0", "1"])
batch = {"token_ids": ids.astype("int32"), "padding_mask": mask}
if training:
    model.compile(AdamW(2e-5),
        jit_compile=backend == "jax" or (backend == "tensorflow" and on_gpu),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    def run(count):
        given = {name: np.tile(x, (count, 1)) for name, x in batch.items()}
        model.fit(given, np.tile(labels, count), batch_size=rows, shuffle=False,
                  verbose=0)
else:
    batch = {name: keras.ops.convert_to_tensor(x) for name, x in batch.items()}
    if backend == "tensorflow":
        call = tf.function(lambda: model(batch, training=False), jit_compile=on_gpu,
                           autograph=False)
    elif backend == "jax":
        state = [[v.value for v in group] for group in
                 (model.trainable_variables, model.non_trainable_variables)]
        step = jax.jit(lambda state, x: model.stateless_call(*state, x)[0])
        call = lambda: step(state, batch)
    else:
        call = torch.inference_mode()(lambda: model(batch, training=False))
        call = torch.compile(call) if compiled else call
    def run(count):
        keras.ops.convert_to_numpy([call() for _ in range(count)][-1])
"""

TRANSFORMERS = """
import transformers
transformers.logging.set_verbosity_error()
known = dict(fields, hidden_act="gelu", attn_implementation="sdpa")
model = transformers.BertForSequenceClassification(transformers.BertConfig(**known))
kind = getattr(torch, numbers)
model = model.to(place, torch.float32 if training else kind).train(training)
given = {"input_ids": torch.tensor(ids, device=place),
         "attention_mask": torch.tensor(mask.astype("int64"), device=place)}
call = torch.compile(model) if compiled else model
if training:
    given["labels"] = torch.tensor(labels, device=place)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-5, weight_decay=0.01,
                                  fused=True)
    scaler = torch.amp.GradScaler(place, enabled=numbers == "float16")
    cast = torch.autocast(place, kind, enabled=numbers != "float32")
    def run(count):
        for _ in range(count):
            with cast:
                loss = call(**given).loss
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        loss.item()
else:
    @torch.inference_mode()
    def run(count):
        [call(**given).logits for _ in range(count)][-1].float().cpu()
"""

END = """
found = {"seconds": stretches(run)}
found["peak"] = peak() / 2**20 if device() else None
size = 8192 if device() else 1024
found["roof"] = 2e-9 * size**3 / float(np.median(stretches(product(size))))
print(json.dumps(found))
"""
LOOK = "print(json.dumps(device()))"

CODE = {"tensorflow": TENSORFLOW, "jax": JAX, "torch": TORCH}
