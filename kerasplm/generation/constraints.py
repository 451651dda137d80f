"""Which tokens may come next: what a trie, or the text itself, allows.

A constraint is data (arrays of one batch, the same for all steps) and a state per row,
which tells what was chosen. Both are tensors, so that the loop stays in the graph.
"""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError

Data = dict[str, Any]


class Constraint(abc.ABC):
    """What the loop asks of a constraint."""

    @abc.abstractmethod
    def data(self, token_ids: np.ndarray, padding_mask: np.ndarray) -> Data:
        """Return the arrays for a batch of sources, (B, S) both."""

    @abc.abstractmethod
    def start(self, data: Data, rows: tf.Tensor, width: int) -> tf.Tensor:
        """Return the state of R rows before the first token."""

    @abc.abstractmethod
    def allowed(
        self, data: Data, state: tf.Tensor, words: int, end_id: tf.Tensor
    ) -> tf.Tensor:
        """Return (R, V) booleans."""

    @abc.abstractmethod
    def advance(self, data: Data, state: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Return the state after the tokens (R,)."""


class Trie(Constraint):
    """Allow exactly the given sequences, each followed by the end token.

    The state is a node. The edges lie sorted by node and token, so that the children of
    a node are one range and a child is found by bisection.

    Args:
        sequences: Ids of the tokens, without special ones; none may be empty.

    Raises:
        ConfigError: There are none, or one is empty.

    Example:
        >>> trie = Trie([[5, 6], [5, 7, 8]])
        >>> trie.size
        5
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        children: list[dict[int, int]] = [{}]
        ends = set()
        for sequence in sequences:
            node = 0
            for token in sequence:
                if token not in children[node]:
                    children[node][int(token)] = len(children)
                    children.append({})
                node = children[node][token]
            if node == 0:
                raise ConfigError(f"a choice has no tokens: {list(sequence)!r}")
            ends.add(node)
        if not ends:
            raise ConfigError("expected choices to choose from, found none")
        self.size = len(children)
        """Number of nodes."""
        edges = sorted(
            (n, t, c) for n, some in enumerate(children) for t, c in some.items()
        )
        nodes, tokens, targets = np.array(edges, "int64").T
        starts = np.searchsorted(nodes, np.arange(self.size + 1))
        self._most = int(np.diff(starts).max())
        self._data = {
            "edges": nodes << 32 | tokens,
            "tokens": tokens.astype("int32"),
            "targets": targets.astype("int32"),
            "starts": starts.astype("int32"),
            "ends": np.isin(np.arange(self.size), list(ends)),
            "most": np.int32(self._most),
        }

    def data(self, token_ids: np.ndarray, padding_mask: np.ndarray) -> Data:
        """Return the trie, which is the same for all sources."""
        return self._data

    def start(self, data: Data, rows: tf.Tensor, width: int) -> tf.Tensor:
        """Begin at the root."""
        return tf.zeros([rows], tf.int32)

    def allowed(
        self, data: Data, state: tf.Tensor, words: int, end_id: tf.Tensor
    ) -> tf.Tensor:
        """Allow the children, and the end where a sequence ends."""
        first, behind = tf.gather(data["starts"], state), data["starts"]
        behind = tf.gather(behind, state + 1)
        place = first[:, None] + tf.range(data["most"])
        last = tf.size(data["tokens"]) - 1
        tokens = tf.gather(data["tokens"], tf.minimum(place, last))
        tokens = tf.where(place < behind[:, None], tokens, words)
        ends = tf.where(tf.gather(data["ends"], state), end_id, words)
        return _mask(tf.concat([tokens, ends[:, None]], axis=1), words)

    def advance(self, data: Data, state: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Go to the child; what is no child (an end) stays."""
        wanted = tf.bitwise.left_shift(
            tf.cast(state, tf.int64), tf.constant(32, tf.int64)
        )
        wanted += tf.cast(tokens, tf.int64)
        place = tf.searchsorted(data["edges"], wanted)
        place = tf.minimum(place, tf.size(data["edges"]) - 1)
        found = tf.gather(data["edges"], place) == wanted
        return tf.where(found, tf.gather(data["targets"], place), state)


class Extract(Constraint):
    """Allow only what stands in the source: each n-gram of a text occurs in it.

    The state tells for each place of the source whether its token may come next. The
    end is always allowed; special tokens are not part of a source.

    Args:
        special: Ids that no text may contain, such as [CLS] and [SEP]: what stands on
            both sides of one is not adjacent.

    Source: The extractive decoding of ZhuiyiTechnology/pretrained-models,
    task_cips_sogou_qa.py.
    """

    def __init__(self, special: Sequence[int]) -> None:
        self.special = list(special)

    def data(self, token_ids: np.ndarray, padding_mask: np.ndarray) -> Data:
        """Return the sources, in which -1 stands for what is none of the text."""
        ids = np.asarray(token_ids, "int32")
        outside = ~np.asarray(padding_mask, bool) | np.isin(ids, self.special)
        return {"source": np.where(outside, -1, ids)}

    def start(self, data: Data, rows: tf.Tensor, width: int) -> tf.Tensor:
        """Begin anywhere."""
        return tf.repeat(data["source"] >= 0, width, axis=0)

    def allowed(
        self, data: Data, state: tf.Tensor, words: int, end_id: tf.Tensor
    ) -> tf.Tensor:
        """Allow the tokens at these places, and the end."""
        tokens = tf.where(state, self._source(data, state), words)
        ends = tf.fill([tf.shape(state)[0], 1], end_id)
        return _mask(tf.concat([tokens, ends], axis=1), words)

    def advance(self, data: Data, state: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Go on behind the places that hold the token."""
        source = self._source(data, state)
        hit = state & (source == tokens[:, None])
        return tf.pad(hit[:, :-1], [[0, 0], [1, 0]]) & (source >= 0)

    def _source(self, data: Data, state: tf.Tensor) -> tf.Tensor:
        width = tf.shape(state)[0] // tf.shape(data["source"])[0]
        return tf.repeat(data["source"], width, axis=0)


def _mask(tokens: tf.Tensor, words: int) -> tf.Tensor:
    """Return (R, V) booleans, True at the tokens (R, C); V itself counts as none."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    shape = [tf.shape(tokens)[0], words + 1]
    hits = tf.ones_like(tokens)
    places = tf.stack([rows, tokens], axis=-1)
    counts = tf.scatter_nd(places, hits, shape)
    return counts[:, :words] > 0
