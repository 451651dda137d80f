"""The classes of models, and how each reads and writes its configuration.

A family names its network; what differs between them stands here and nowhere else.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from kerasplm import published, published_seq2seq
from kerasplm.config import BaseConfig, Config
from kerasplm.encoder import Encoder
from kerasplm.families import Family
from kerasplm.seq2seq.config import Seq2SeqConfig
from kerasplm.seq2seq.model import Seq2Seq


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """One class of models.

    Args:
        model: Builds the bare model from its configuration.
        config: Class of the configuration.
        fields_from_json: Translates a published JSON to fields.
        to_json: Translates a configuration back.
        complete_config: Builds the configuration of a checkpoint.
        ids: The inputs without which it does not run, all of them token ids.
        word_table: Path of the weight with a row for each token.
        heads: Whether pre-training heads and classifiers stand on it.
        facts: Fields that have these values in a family that does not fix them.
    """

    model: Callable[..., keras.Model]
    config: type[BaseConfig]
    fields_from_json: Callable[[Mapping[str, Any], Family], dict[str, Any]]
    to_json: Callable[[Any, Family], dict[str, Any]]
    complete_config: Callable[..., tuple[Any, tuple[str, ...]]]
    ids: tuple[str, ...]
    word_table: str
    heads: bool
    facts: Mapping[str, Any]


NETWORKS = {
    "encoder": Network(
        model=Encoder,
        config=Config,
        fields_from_json=published.fields_from_json,
        to_json=published.to_json,
        complete_config=published.complete_config,
        ids=("token_ids",),
        word_table="encoder/embeddings/word",
        heads=True,
        facts={"embedding_projection": "after_norm", "position": "absolute"},
    ),
    "seq2seq": Network(
        model=Seq2Seq,
        config=Seq2SeqConfig,
        fields_from_json=published_seq2seq.fields_from_json,
        to_json=published_seq2seq.to_json,
        complete_config=published_seq2seq.complete_config,
        ids=("token_ids", "target_ids"),
        word_table="seq2seq/embedding/embeddings",
        heads=False,
        facts={"cross_position_bias": True, "scale_output": True},
    ),
}


def network_of(family: Family) -> Network:
    """Return the class of models of a family."""
    return NETWORKS[family.network]
