"""What each library does with a stream of texts, for `benchmarks.stream`.

Each snippet defines `run(texts)`: raw strings to the numbers of the labels, its own
tokenization included, in batches of `job["batch"]` that are padded to their longest.
"""

START = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import numpy as np
with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
fields, family, numbers = job["fields"], job["family"], job["numbers"]
size, longest, vocab = job["batch"], job["longest"], job["vocab"]
def batches(texts):
    return [texts[n:n + size] for n in range(0, len(texts), size)]
"""

END = """
texts = job["texts"]
orders = {"given": texts, "sorted": sorted(texts, key=len)}
run(orders["sorted"][::max(1, len(texts) // (4 * size))] + texts[:8 * size])
found = {}
for order in job["orders"]:
    begin, work = time.perf_counter(), time.process_time()
    labels = run(orders[order])
    found[order] = [time.perf_counter() - begin, time.process_time() - work]
    assert len(labels) == len(texts)
print(json.dumps(found))
"""

ROOF = """
from kerasplm.benchmarking.arithmetic import roof
print(json.dumps(roof(numbers)))
"""

# The texts of a stream in order come batch by batch; sorted ones are given at once.
KERASPLM = """
import keras
import kerasplm as plm
from kerasplm.precision import computed_in
with computed_in(numbers, mixed=False):
    model = plm.Classifier(plm.Encoder(plm.Config(**fields)), ["0", "1"])
tokenizer = plm.load_tokenizer(vocab, in_graph=False)
ask = plm.pipeline("text-classification", model, tokenizer, batch_size=size,
                   max_length=longest)
def run(texts):
    given = [texts] if texts == orders["sorted"] else batches(texts)
    return [int(answer["label"]) for part in given for answer in ask(part)]
"""

# What softmax leaves of padding is so small that processors are slow at it. The thread
# that calls obeys the first session of a process alone, so none may start before.
_SESSION = """
import onnxruntime
def process_anew():
    os.execv(sys.executable, sys.orig_argv)
def started(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(path, options,
                                        providers=["CPUExecutionProvider"])
"""

# The same classifier as a file of 8-bit matrices, which onnxruntime runs.
KERASPLM_INT8 = (
    _SESSION
    + """
import keras
import kerasplm as plm
model = plm.Classifier(plm.Encoder(plm.Config(**fields)), ["0", "1"])
path = f"{job['folder']}/{job['shape']}-kerasplm.onnx"
if not os.path.exists(path):
    plm.export_onnx(model, path, quantize="int8")
    process_anew()
tokenizer = plm.load_tokenizer(vocab, in_graph=False)
session = started(path)
def run(texts):
    found = []
    for part in batches(texts):
        given = tokenizer(part, max_length=longest)
        given = {name: x.astype("int32") for name, x in given.items()}
        (logits,) = session.run(["logits"], given)
        found += logits.argmax(-1).tolist()
    return found
"""
)

_TORCH = """
import torch, transformers
transformers.logging.set_verbosity_error()
torch.set_num_threads(os.cpu_count())
torch.manual_seed(0)
name = {"bert": "Bert", "albert": "Albert", "electra": "Electra"}[family]
known = dict(fields, hidden_act="gelu")
known.pop("pooler", None)
network = getattr(transformers, name + "ForSequenceClassification")(
    getattr(transformers, name + "Config")(**known)).eval()
tokenizer = transformers.BertTokenizerFast(vocab)
def encode(texts, kind):
    return tokenizer(texts, padding=True, truncation=True, max_length=longest,
                     return_tensors=kind)
"""

TRANSFORMERS = (
    _TORCH
    + """
network = network.to(getattr(torch, numbers))
if job["compiled"]:
    import torch._inductor.config
    torch._inductor.config.freezing = True
    network = torch.compile(network, dynamic=True)
def run(texts):
    found = []
    with torch.inference_mode():
        for part in batches(texts):
            found += network(**encode(part, "pt")).logits.argmax(-1).tolist()
    return found
"""
)

# Exported once, with the fusions and the quantisation that onnxruntime comes with.
ONNXRUNTIME = (
    _TORCH
    + _SESSION
    + """
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
made = {kind: f"{job['folder']}/{job['shape']}-{kind}.onnx"
        for kind in ("plain", "float32", "int8")}
if not os.path.exists(made["int8"]):
    example = dict(encode(["好", "房间很大"], "pt"))
    axes = {key: {0: "batch", 1: "length"} for key in example}
    network.config.return_dict = False
    network.set_attn_implementation("eager")  # what the optimizer knows how to fuse
    torch.onnx.export(network, kwargs=example, f=made["plain"], dynamo=False,
        input_names=list(example), output_names=["logits"],
        dynamic_axes=axes | {"logits": {0: "batch"}}, opset_version=17)
    fused = optimizer.optimize_model(made["plain"], "bert",
        num_heads=fields["num_attention_heads"], hidden_size=fields["hidden_size"])
    print(fused.get_fused_operator_statistics(), file=sys.stderr)
    fused.save_model_to_file(made["float32"])
    # The types of what fused operators give are not inferred.
    quantize_dynamic(made["float32"], made["int8"], weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    process_anew()
session = started(made[numbers])
names = [one.name for one in session.get_inputs()]
def run(texts):
    found = []
    for part in batches(texts):
        given = encode(part, "np")
        (logits,) = session.run(None, {k: given[k].astype("int64") for k in names})
        found += logits.argmax(-1).tolist()
    return found
"""
)

KERAS_HUB = """
import keras, keras_hub
import tensorflow as tf
if numbers != "float32":
    keras.config.set_dtype_policy("mixed_" + numbers)
sizes = dict(num_layers=fields["num_hidden_layers"], hidden_dim=fields["hidden_size"],
             num_heads=fields["num_attention_heads"],
             intermediate_dim=fields["intermediate_size"])
rows, width = fields["vocab_size"], fields.get("embedding_size")
backbone = {
    "bert": lambda: keras_hub.models.BertBackbone(vocabulary_size=rows, **sizes),
    "albert": lambda: keras_hub.models.AlbertBackbone(
        vocabulary_size=rows, embedding_dim=width, **sizes),
    "electra": lambda: keras_hub.models.ElectraBackbone(
        vocab_size=rows, embedding_dim=width, **sizes),
}[family]()
vector = backbone.output["sequence_output"][:, 0]
if family != "electra":
    vector = backbone.output["pooled_output"]
model = keras.Model(backbone.input, keras.layers.Dense(2, dtype="float32")(vector))
model.compile(jit_compile=False)
prepare = keras_hub.models.BertTextClassifierPreprocessor(
    keras_hub.models.BertTokenizer(vocab, lowercase=True), sequence_length=longest)
def trim(texts):
    given = prepare(texts)
    width = tf.reduce_max(tf.reduce_sum(tf.cast(given["padding_mask"], tf.int32), 1))
    return {name: x[:, :width] for name, x in given.items()}
def run(texts):
    data = tf.data.Dataset.from_tensor_slices(texts).batch(size).map(trim).prefetch(2)
    return model.predict(data, verbose=0).argmax(-1).tolist()
"""

BERT4KERAS = """
os.environ["TF_KERAS"] = "1"
import tensorflow as tf
tf.keras.layers.Layer  # before bert4keras puts this lazy module in the place of keras
from bert4keras.models import build_transformer_model
from bert4keras.snippets import sequence_padding
from bert4keras.tokenizers import Tokenizer
path = job["folder"] + "/bert4keras.json"
with open(path, "w") as file:
    json.dump(dict(fields, hidden_act="gelu", max_position_embeddings=512,
        type_vocab_size=2, hidden_dropout_prob=0.1, initializer_range=0.02,
        attention_probs_dropout_prob=0.1), file)
base = build_transformer_model(path, model=family, return_keras_model=False)
vector = tf.keras.layers.Lambda(lambda x: x[:, 0])(base.model.output)
model = tf.keras.Model(base.model.input, tf.keras.layers.Dense(2)(vector))
tokenizer = Tokenizer(vocab, do_lower_case=True)
def run(texts):
    found = []
    for part in batches(texts):
        pairs = [tokenizer.encode(text, maxlen=longest) for text in part]
        given = [sequence_padding(column) for column in zip(*pairs)]
        found += model.predict_on_batch(given).argmax(-1).tolist()
    return found
"""
