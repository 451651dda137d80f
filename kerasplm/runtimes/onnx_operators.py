"""The operators of onnxruntime that do the work of a whole block of the encoder.

The converter writes hundreds of small operators for a block. Here a hook of the encoder
puts a few large ones in their place: attention, norm, bias with GELU. TensorFlow has no
such operators, so the traced graph gets nodes that hold their name, and
`write_operator` turns these into operators of ONNX or of the domain `com.microsoft`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasplm.encoder import Encoder
from kerasplm.hooks import Hook
from kerasplm.layers import Block, activate
from kerasplm.masks import MASK_VALUE

DOMAIN = "com.microsoft"
# The node of TensorFlow that takes any tensors and any text. It is never run.
CARRIER = "PyFuncStateless"
_GELU = {"gelu_erf": "BiasGelu", "gelu_tanh": "FastGelu"}

Tensor = Any


class LargeOperators(Hook):
    """Write the blocks of an encoder with few operators, where there are such.

    Blocks that normalise before attention stay as they are, and so does attention with
    relative or turned positions or with keys of another size than values.

    Args:
        encoder: The encoder that is traced.
    """

    first_only = True

    def __init__(self, encoder: Encoder) -> None:
        self.config = encoder.config
        self.embeddings = encoder.embeddings
        self.blocks = encoder.layers_in_order()
        self._projections: dict[int, tuple[Tensor, Tensor]] = {}

    def embedded(self, x: Tensor, asked: Mapping[str, Any]) -> Tensor:
        """Return the input of the first block."""
        self._projections.clear()  # of an earlier trace
        config, own = self.config, self.embeddings
        tables = (own.word, own.position, own.type)
        early = config.has_projection and config.embedding_projection == "before_norm"
        longer = config.hierarchical_positions is not None
        if early or longer or any(table is None for table in tables):
            return x
        x = _operator(
            "EmbedLayerNormalization",
            [
                asked["token_ids"],
                asked["segment_ids"],
                *map(_value, (*tables, own.norm.gamma, own.norm.beta)),
            ],
            shape=[None, None, config.table_size],
            types=[tf.float32, tf.int32],
            epsilon=float(own.norm.epsilon),
        )
        return x if own.projection is None else own.projection(x)

    def applied(
        self,
        number: int,
        before: Tensor,
        x: Tensor,
        scores: Tensor,
        asked: Mapping[str, Any],
    ) -> Tensor:
        """Return the output of a block; what the block computed itself is dropped."""
        config, block = self.config, self.blocks[number]
        if config.ln_type == "pre":
            return x
        plain = asked["relative"] is None and asked["rotary"] is None
        if plain and config.key_size == config.head_size:
            attended = self._attention(block, before, asked["attention_mask"])
            if asked["first_only"]:  # the operator has a query for every key
                attended = attended[:, :1]
            branch = _dense(block.attention.output_dense, attended)
        else:
            branch = block.attention(before, **asked)[0], None
        if asked["first_only"]:
            before = before[:, :1]
        middle = self._norm(block.attention_norm, before, branch)
        inner, bias = _dense(block.ffn.inner, middle)
        if bias is not None and config.hidden_act in _GELU:
            inner = _operator(_GELU[config.hidden_act], [inner, bias])
        else:
            inner = activate(config.hidden_act, inner if bias is None else inner + bias)
        return self._norm(block.ffn_norm, middle, _dense(block.ffn.outer, inner))

    def _attention(self, block: Block, x: Tensor, mask: Tensor) -> Tensor:
        """Return what the heads found, side by side, (B, T, D)."""
        shape = tf.shape(x)
        mask = tf.cast(mask, tf.int32)[:, 0]
        if mask.shape[1] == 1:  # the same tokens for every query
            mask = mask[:, 0]
        else:
            mask = tf.broadcast_to(mask, [shape[0], shape[1], shape[1]])
        return _operator(
            "Attention",
            [x, *self._projection(block), mask],
            num_heads=self.config.num_attention_heads,
            scale=float(self.config.key_size**-0.5),
            mask_filter_value=MASK_VALUE,
        )

    def _projection(self, block: Block) -> tuple[Tensor, Tensor]:
        """Return kernels and biases of queries, keys, values; of shared blocks one."""
        if id(block) not in self._projections:
            own = block.attention
            parts = (own.query, own.key, own.value)
            self._projections[id(block)] = (
                tf.concat([part.kernel for part in parts], 1),
                tf.concat([part.bias for part in parts], 0),
            )
        return self._projections[id(block)]

    def _norm(self, norm: Any, x: Tensor, branch: tuple[Tensor, Any]) -> Tensor:
        """Return norm(x + branch).

        The sum is no "Add": of that and a norm onnxruntime makes one operator,
        `SkipLayerNormalization`, which is slower (1.31).
        """
        product, bias = branch
        if bias is not None:
            product = product + bias
        total = _operator("Sum", [x, product], domain="")
        return _operator(
            "LayerNormalization",
            [total, _value(norm.gamma), _value(norm.beta)],
            domain="",
            epsilon=float(norm.epsilon),
        )


def _dense(layer: Any, x: Tensor) -> tuple[Tensor, Any]:
    """Return the product and the bias of a dense layer; of others their output."""
    if isinstance(layer, keras.layers.Dense):
        return tf.matmul(x, _value(layer.kernel)), _value(layer.bias)
    return layer(x), None


def _value(weight: Any) -> Tensor:
    """Return what stands for a weight while a model is traced."""
    return keras.ops.convert_to_tensor(weight)


def _operator(
    name: str,
    inputs: list[Tensor],
    shape: Any = None,
    types: Sequence[Any] = (tf.float32,),
    domain: str = DOMAIN,
    **attributes: Any,
) -> Tensor:
    """Return the first output of an operator.

    Args:
        name: Of the operator.
        inputs: In its order.
        shape: Of the output; default is that of the first input.
        types: Of all outputs.
        domain: Of the operator.
        **attributes: Of the operator.
    """
    token = json.dumps({"name": name, "domain": domain, "attributes": attributes})
    out = tf.raw_ops.PyFuncStateless(
        input=inputs, token=token, Tout=list(types), name=name
    )
    return tf.ensure_shape(out[0], inputs[0].shape if shape is None else shape)


def write_operator(graph: Any, node: Any, name: str, args: Any) -> None:
    """Turn a carrier into the operator whose name it holds, for the converter."""
    told = json.loads(node.get_attr_str("token"))
    inputs, outputs = list(node.input), list(node.output)
    shapes = [graph.get_shape(output) for output in outputs]
    dtypes = [graph.get_dtype(output) for output in outputs]
    graph.remove_node(name)
    graph.make_node(
        told["name"],
        inputs,
        outputs=outputs,
        name=name,
        attr=told["attributes"],
        shapes=shapes,
        dtypes=dtypes,
        domain=told["domain"],
    )
