"""The encoder: every family's network, chosen by its `Config`."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from kerasplm import masks
from kerasplm.config import Config
from kerasplm.embeddings import Embeddings
from kerasplm.fused import packed
from kerasplm.hooks import hook_of
from kerasplm.layers import ACTIVATIONS, Block, initializer
from kerasplm.recompute import recomputed
from kerasplm.relative import relative_table, rotations

Tensor = Any
Inputs = dict[str, Tensor]


@keras.saving.register_keras_serializable(package="kerasplm")
class Encoder(keras.Model):
    """Turn token ids into contextual vectors.

    One class serves BERT, RoBERTa-zh, ALBERT in three layouts, ELECTRA, NEZHA,
    NEZHA-Gen, the Zhuiyi models, SimBERT, WoBERT, RoFormer and TinyBERT; `config`
    says which. All
    weights exist after construction. Sub-layers are reachable as `embeddings`,
    `blocks[i]` and `pooler`.

    Args:
        config: Sizes and choices.
        name: Name of the model.
        family: Whose checkpoint it was loaded from; only kept, for saving.
        tables: The embeddings of another encoder whose word, segment and position
            tables and norm are used instead of new ones (ELECTRA's generator).

    Attributes:
        recompute: Whether training keeps only the outputs of the blocks and computes
            their inside a second time for the gradients. Without effect with a hook,
            or where hidden states or scores are asked for.

    Example:
        >>> encoder = Encoder(Config(vocab_size=100, hidden_size=24,
        ...     num_hidden_layers=2, num_attention_heads=4, intermediate_size=48))
        >>> encoder({"token_ids": np.array([[2, 7, 3]])})["pooled_output"].shape
        TensorShape([1, 24])

    Source: `BertModel` of google-research/bert modeling.py (arXiv:1810.04805) and
    of the projects that grew from it.
    """

    def __init__(
        self,
        config: Config,
        name: str = "encoder",
        family: str | None = None,
        tables: Embeddings | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.config = config
        self.family = family
        self.recompute = False
        self.embeddings = Embeddings(config, tables=tables)
        self.blocks = [Block(config, name=name) for name in self._block_names()]
        self.pooler = None
        if config.pooler != "none":
            self.pooler = keras.layers.Dense(
                config.hidden_size,
                kernel_initializer=initializer(config),
                name="pooler",
            )
        self.build()

    def _block_names(self) -> list[str]:
        """Name a block by its layer, or by its group and place in the group."""
        if self.config.num_hidden_groups is None:
            return [f"layer_{i}" for i in range(self.config.num_hidden_layers)]
        inner = range(self.config.inner_group_num)
        used = sorted(set(self.config.groups()))
        return [f"group_{g}_{j}" for g in used for j in inner]

    def build(self, input_shape: Any = None) -> None:
        """Create all weights."""
        if getattr(self, "built", False):
            return
        self.embeddings.build(None)
        for block in self.blocks:
            block.build(None)
        if self.pooler is not None:
            self.pooler.build((None, self.config.hidden_size))
        self.built = True

    def layers_in_order(self) -> list[Block]:
        """Return the blocks in order of application; shared ones repeat."""
        groups, inner = self.config.groups(), self.config.inner_group_num
        place = {group: n * inner for n, group in enumerate(sorted(set(groups)))}
        return [self.blocks[place[g] + j] for g in groups for j in range(inner)]

    def call(
        self,
        inputs: Inputs,
        training: bool | None = None,
        return_hidden_states: bool = False,
        return_attention_scores: bool = False,
        skip_padding: bool = False,
        first_only: bool = False,
    ) -> dict[str, Any]:
        """Encode a batch.

        Args:
            inputs: `token_ids` (B, T) int; optional `segment_ids` (B, T) int,
                default zeros; optional `padding_mask` (B, T), True = real token,
                default all True, as in the original code; optional `position_ids`
                (B, T) int, default 0 ... T-1; optional `attention_mask`, boolean,
                of rank 4, broadcast to (B, N, T, T), which replaces the mask that
                `config.attention` and `padding_mask` would give. Ids must lie in
                their tables; as in numpy, negative ones count from the end.
            training: Whether dropout is on.
            return_hidden_states: Add `embedding_output`, the normalised sum of
                the embedding tables; `hidden_states`, a list of the input of
                the first block and the output of every block, (B, T, D) each; and
                `before_last_norm` (B, T, D), what the last block normalises at its
                end: its residual sum (its output, if it does not).
            return_attention_scores: Add `attention_scores`, a list with the
                (B, N, T, T) scores of each block, scaled and masked, before
                softmax.
            skip_padding: Leave padded positions out of the dense layers, for callers
                that use real tokens and the pooled vector only: the states of padded
                positions, save the first of a row, are then zeros. Without effect
                outside TensorFlow, under XLA, without `padding_mask`, with
                `attention_mask`, with a hook (`kerasplm.hooks`), or where scores are
                asked for.
            first_only: Compute the last block for the first token only, for callers
                that use the pooled vector: `sequence_output` is then (B, 1, D).
                Without effect with a hook that looks at all tokens, or where hidden
                states or scores are asked for.

        Returns:
            `sequence_output` (B, T, D), `pooled_output` (B, D), and what was asked.

        Raises:
            ValueError: An input is missing, unknown or of the wrong rank, or there
                are more tokens than positions. (Where T is known only when a graph
                runs, the backend reports the shapes instead.)
        """
        check_inputs(inputs, ("token_ids",), INPUTS)
        token_ids = ops.cast(inputs["token_ids"], "int32")
        segment_ids = inputs.get("segment_ids")
        if segment_ids is None:
            segment_ids = ops.zeros_like(token_ids)
        mask = inputs.get("attention_mask")
        if mask is not None and len(mask.shape) != 4:
            raise ValueError(
                "attention_mask must have rank 4, broadcast to (B, N, T, T). Received: "
                f"shape {tuple(mask.shape)}; a mask of tokens (B, T) is padding_mask"
            )
        hook = hook_of(self)
        inside = bool(hook or return_hidden_states or return_attention_scores)
        layout = None
        if mask is None:
            padding_mask = inputs.get("padding_mask")
            if padding_mask is None:
                padding_mask = ops.ones_like(token_ids)
            elif skip_padding and hook is None and not return_attention_scores:
                layout = packed(padding_mask, self.config.num_attention_heads)
                padding_mask = padding_mask if layout is None else layout.visible
            mask = masks.attention_mask(
                self.config.attention, padding_mask, segment_ids
            )
        asked = {"segment_ids": segment_ids, "position_ids": inputs.get("position_ids")}
        normed, x = self.embeddings(
            token_ids, **asked, training=training, layout=layout
        )
        if hook is not None:
            x = hook.embedded(x, {"token_ids": token_ids, **asked})
        relative = rotary = None
        length = ops.shape(token_ids)[1]
        if self.config.position == "nezha":
            relative = relative_table(self.config, length, x.dtype)
        elif self.config.position == "rotary":
            positions = inputs.get("position_ids")
            if positions is None:
                positions = ops.arange(length)[None]
            rotary = rotations(self.config, positions, x.dtype)
        states, all_scores = [x], []
        lean = bool(self.recompute and training and not inside)
        given = {
            "attention_mask": mask,
            "relative": relative,
            "rotary": rotary,
            "training": training,
            "layout": layout,
            # A hook may look at them.
            "return_scores": return_attention_scores or hook is not None,
        }
        if return_hidden_states or return_attention_scores:
            first_only = False
        first_only = first_only and (hook is None or hook.first_only)
        blocks = self.layers_in_order()
        for number, block in enumerate(blocks):
            given["first_only"] = first_only and number == len(blocks) - 1
            if lean:
                x = recomputed(block)(x, **given)
                continue
            before = x
            x, scores, summed = block(before, **given)
            if hook is not None:
                x = hook.applied(number, before, x, scores, given)
            states.append(x)
            all_scores.append(scores)
        if layout is not None and not first_only:
            x = layout.cleared(x)
            if return_hidden_states:
                states = [layout.cleared(state) for state in states]
                normed, summed = layout.cleared(normed), layout.cleared(summed)
        out = {"sequence_output": x, "pooled_output": self.pool(x)}
        if return_hidden_states:
            out.update(
                embedding_output=normed, hidden_states=states, before_last_norm=summed
            )
        if return_attention_scores:
            out["attention_scores"] = all_scores
        return out

    def pool(self, sequence_output: Tensor) -> Tensor:
        """Return the vector (B, D) that stands for the whole sequence."""
        first = sequence_output[:, 0]
        if self.pooler is None:
            return first
        return ACTIVATIONS[self.config.pooler](self.pooler(first))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments as plain values."""
        return {
            "config": self.config.to_dict(),
            "name": self.name,
            "family": self.family,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Build from what `get_config` returned."""
        encoder = cls(
            Config.from_dict(config["config"]),
            name=config["name"],
            family=config.get("family"),
        )
        encoder.trainable = config.get("trainable", True)
        return encoder


INPUTS = ("token_ids", "segment_ids", "padding_mask", "position_ids", "attention_mask")


def check_inputs(inputs: Any, needed: Sequence[str], known: Sequence[str]) -> None:
    """Make sure that a batch is a dictionary of known inputs.

    Raises:
        ValueError: It is none, or an input is missing or unknown.
    """
    found = sorted(inputs) if isinstance(inputs, Mapping) else type(inputs).__name__
    if not isinstance(inputs, Mapping) or not set(needed) <= set(inputs):
        names = " and ".join(needed)
        raise ValueError(f"expected a dictionary with {names}. Received: {found}")
    unknown = sorted(set(inputs) - set(known))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: no such input. The inputs are {', '.join(known)}"
        )
