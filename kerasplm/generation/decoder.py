"""The loop: read the sources, choose and take tokens until all texts are done."""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasplm.errors import ConfigError
from kerasplm.generation.beam import Beam
from kerasplm.generation.bert4keras import ShrinkingBeam
from kerasplm.generation.cache import for_xla
from kerasplm.generation.constraints import Constraint
from kerasplm.generation.next_token import NextToken
from kerasplm.generation.sampling import Rows
from kerasplm.generation.scores import log_probabilities
from kerasplm.generation.settings import Decoding
from kerasplm.generation.stepping import Allowed, asked, sizes

Watch = Callable[[int, list[int]], None]
# With XLA every new length is compiled: sources are padded to a multiple of it.
_STEP = 32


@dataclasses.dataclass(frozen=True)
class Generated:
    """What was generated for one source.

    Args:
        ids: For each text its tokens, with the end token if it was reached.
        scores: Log-probability of each; of a beam search with its length penalty.
    """

    ids: list[list[int]]
    scores: list[float]


class Decoder:
    """Generate from a model by one choice of options.

    The loop runs inside one graph, which is traced once for all batch sizes and lengths
    (with XLA once for each). Where Python has a say (`allowed`, `watch`), each step is
    a call of a graph.

    Args:
        model: The model, as the loop sees it.
        decoding: The options.
        started: Whether targets begin with a start token.
        constraint: What may be generated.
        jit_compile: Whether XLA compiles the loop.

    Raises:
        ConfigError: A constraint without an end token.
    """

    def __init__(
        self,
        model: NextToken,
        decoding: Decoding,
        *,
        started: bool = False,
        constraint: Constraint | None = None,
        jit_compile: bool = False,
    ) -> None:
        if constraint is not None and decoding.end_id is None:
            raise ConfigError("a constraint needs an end token (end)")
        self.model = model
        self.decoding = decoding
        self.constraint = constraint
        self.jit_compile = jit_compile
        self._traced: list[str] = []
        kind: Any = Beam
        if (
            decoding.samples is not None
            or decoding.beams == 1
            and not decoding.bert4keras
        ):
            kind = Rows
        elif decoding.bert4keras:
            kind = ShrinkingBeam
        self.strategy: Any = kind(decoding, started)
        self._graphs: dict[str, Any] = {}

    def __call__(
        self,
        inputs: Mapping[str, Any],
        *,
        numbers: Sequence[int] | None = None,
        seed: int = 0,
        allowed: Allowed | None = None,
        watch: Watch | None = None,
    ) -> list[Generated]:
        """Generate for a batch of sources.

        Args:
            inputs: `token_ids`, `segment_ids`, `padding_mask`, (B, S) each.
            numbers: The number of each source, which with the seed decides what is
                drawn for it, and which `allowed` and `watch` are told; default 0, 1 ...
            seed: Of the random choices.
            allowed: Called with the number of a source and the ids so far of one of its
                texts; returns the ids that may come next (none ends the text), or None
                for all.
            watch: Called with the number of a source and the best ids so far, after
                every step that changes them.

        Returns:
            One `Generated` per source.

        Raises:
            ConfigError: `allowed` allows nothing and there is no end token, or an id
                that is not in the vocabulary.
        """
        arrays = {
            name: np.asarray(
                inputs[name], "bool" if name == "padding_mask" else "int32"
            )
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        count = len(arrays["token_ids"])
        numbers = list(range(count)) if numbers is None else list(numbers)
        draws = np.zeros((count * self.decoding.width, self.decoding.max_length), "f4")
        if self.decoding.samples is not None:
            draws = np.concatenate([self._draws(seed, number) for number in numbers])
        if self.jit_compile:
            length = arrays["token_ids"].shape[1]
            pad = ((0, 0), (0, -length % _STEP))
            arrays = {name: np.pad(x, pad) for name, x in arrays.items()}
        limits = {k: np.int32(x) for k, x in self.decoding.limits().items()}
        given: Any = {"inputs": arrays, "draws": draws, "limits": limits}
        if self.constraint is not None:
            given["constraint"] = self.constraint.data(
                arrays["token_ids"], arrays["padding_mask"]
            )
        given = keras.tree.map_structure(tf.convert_to_tensor, given)
        if allowed is None and watch is None:
            loop = self._graph("loop", self._loop, sizes(given, all_vary=True))
            tokens, lengths, scores = loop(given)
        else:
            tokens, lengths, scores = self._in_python(given, numbers, allowed, watch)
        tokens, lengths, scores = (np.asarray(x) for x in (tokens, lengths, scores))
        return [
            Generated(
                [row[:n].tolist() for row, n in zip(*rows, strict=True)], some.tolist()
            )
            for *rows, some in zip(tokens, lengths, scores, strict=True)
        ]

    @property
    def traces(self) -> int:
        """How often the loop was traced."""
        return len(self._traced)

    def like(self, decoding: Decoding) -> "Decoder":
        """Return a decoder with another end or minimal length and the same graphs.

        Raises:
            ConfigError: Other options differ.
        """
        if decoding.static() != self.decoding.static():
            raise ConfigError(f"not the same options but for the limits: {decoding}")
        other = copy.copy(self)
        other.decoding = decoding
        return other

    def _draws(self, seed: int, number: int) -> np.ndarray:
        shape = (self.decoding.width, self.decoding.max_length)
        return np.random.default_rng([seed, number]).random(shape, "float32")

    def _graph(self, name: str, function: Callable[..., Any], *specs: Any) -> Any:
        """Return the compiled function, traced once for these specs."""
        if name not in self._graphs:
            if self.jit_compile:
                function = for_xla(function)
            # XLA needs to know all sizes: it takes those of each call.
            graph = self._graphs[name] = tf.function(
                function,
                input_signature=None if self.jit_compile else specs,
                jit_compile=self.jit_compile,
                autograph=False,
            )
            if not self.jit_compile:
                graph.get_concrete_function()
        return self._graphs[name]

    # --- the parts of the loop; all of them run in graphs ---------------------------

    def _begin(self, given: Any) -> tuple[Any, tf.Tensor, Any]:
        """Read the sources; return the state, the logits and the source."""
        decoding = self.decoding
        logits, source, memory = self.model.begin(
            given["inputs"], decoding.width, decoding.max_length
        )
        texts = tf.shape(given["inputs"]["token_ids"])[0]
        rows = texts * decoding.width
        state = {
            "choice": self.strategy.start(texts, given["draws"]),
            "memory": memory,
            "parents": tf.range(rows),
        }
        if self.constraint is not None:
            data = given["constraint"]
            state["place"] = self.constraint.start(data, rows, decoding.width)
        return state, tf.repeat(logits, decoding.width, axis=0), source

    def _choose(
        self,
        given: Any,
        state: Any,
        logits: tf.Tensor,
        allowed: tf.Tensor | None = None,
    ) -> Any:
        """Choose one token per row."""
        decoding, constraint, choice = self.decoding, self.constraint, state["choice"]
        if constraint is not None:
            more = constraint.allowed(
                given["constraint"],
                state["place"],
                logits.shape[1],
                given["limits"]["end_id"],
            )
            allowed = more if allowed is None else allowed & more
        scores = log_probabilities(
            decoding,
            given["limits"],
            logits,
            choice["tokens"],
            choice["count"],
            allowed,
        )
        choice, parents = self.strategy.choose(choice, scores, given["limits"])
        state = {**state, "choice": choice}
        if parents is not None:
            state["parents"] = parents
            if constraint is not None:
                state["place"] = tf.gather(state["place"], parents)
        if constraint is not None:
            state["place"] = constraint.advance(
                given["constraint"], state["place"], self.strategy.last(choice)
            )
        return state

    def _step(self, state: Any, source: Any) -> tuple[Any, tf.Tensor]:
        """Let the model take the tokens that were chosen last."""
        choice = state["choice"]
        logits, memory = self.model.step(
            self.strategy.last(choice),
            state["parents"],
            choice["count"] - 1,
            source,
            state["memory"],
        )
        return {**state, "memory": memory}, logits

    def _loop(self, given: Any) -> Any:
        self._traced.append("loop")
        state, logits, source = self._begin(given)
        state = self._choose(given, state, logits)
        structure = state

        def going(*flat: tf.Tensor) -> tf.Tensor:
            choice = keras.tree.pack_sequence_as(structure, flat)["choice"]
            short = choice["count"] < self.decoding.max_length
            return short & ~tf.reduce_all(choice["done"])

        def body(*flat: tf.Tensor) -> list[tf.Tensor]:
            state = keras.tree.pack_sequence_as(structure, flat)
            state, logits = self._step(state, source)
            state = self._choose(given, state, logits)
            return keras.tree.flatten(state)

        flat = keras.tree.flatten(state)
        shapes = [
            tf.TensorShape([None, *x.shape[1:]]) if x.shape.rank else x.shape
            for x in flat
        ]
        flat = tf.while_loop(going, body, flat, shape_invariants=shapes)
        state = keras.tree.pack_sequence_as(structure, flat)
        return self.strategy.result(state["choice"])

    # --- Python between the steps ----------------------------------------------------

    def _in_python(
        self,
        given: Any,
        numbers: Sequence[int],
        allowed: Allowed | None,
        watch: Watch | None,
    ) -> Any:
        given_spec = sizes(given, all_vary=True)
        begin = self._graph("begin", self._begin, given_spec)
        state, logits, source = begin(given)
        source_spec = sizes(source, all_vary=True)
        state_spec, logits_spec = sizes(state), sizes(logits)
        if "place" in state:
            state_spec["place"] = sizes(state["place"], all_vary=True)
        choice_spec = state_spec["choice"]
        result = self._graph("result", self.strategy.result, choice_spec)
        step = self._graph("step", self._step, state_spec, source_spec)
        masks: list[Any] = (
            [] if allowed is None else [tf.TensorSpec(logits_spec.shape, bool)]
        )
        name = f"choose {len(masks)}"
        choose = self._graph(
            name, self._choose, given_spec, state_spec, logits_spec, *masks
        )
        seen: list[list[int]] = [[] for _ in numbers]
        while True:
            if allowed is not None:
                masks = [
                    asked(
                        allowed,
                        state["choice"],
                        numbers,
                        self.decoding,
                        logits.shape[1],
                    )
                ]
            state = choose(given, state, logits, *masks)
            choice = state["choice"]
            if watch is not None:
                tokens, lengths, _ = map(np.asarray, result(choice))
                for b, number in enumerate(numbers):
                    ids = tokens[b, 0, : lengths[b, 0]].tolist()
                    if ids != seen[b]:
                        seen[b] = ids
                        watch(number, ids)
            done = np.asarray(choice["done"]).all()
            if done or int(choice["count"]) >= self.decoding.max_length:
                return result(choice)
            state, logits = step(state, source)
