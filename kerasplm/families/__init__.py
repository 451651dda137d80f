"""The families, and which of them explains a checkpoint."""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Sequence

from kerasplm.errors import FamilyError
from kerasplm.families.albert import ALBERT, ALBERT_BRIGHTMART
from kerasplm.families.base import SLOTS, Family
from kerasplm.families.bert import BERT, TINYBERT, WOBERT
from kerasplm.families.electra import (
    ELECTRA,
    ELECTRA_GENERATOR,
    ELECTRA_GENERATOR_UNTIED,
    ELECTRA_SHARED,
)
from kerasplm.families.nezha import (
    NEZHA,
    NEZHA_GEN,
    NEZHA_GEN_POETRY,
    ROFORMER,
    WONEZHA,
)
from kerasplm.families.t5 import MT5, T5_PEGASUS
from kerasplm.families.zhuiyi import SIMBERT, ZHUIYI

__all__ = [
    "BERT",
    "FAMILIES",
    "Family",
    "Hints",
    "Match",
    "family_named",
    "recognise",
]

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        BERT,
        WOBERT,
        TINYBERT,
        ALBERT_BRIGHTMART,
        ALBERT,
        ELECTRA,
        ELECTRA_SHARED,
        ELECTRA_GENERATOR,
        ELECTRA_GENERATOR_UNTIED,
        NEZHA,
        WONEZHA,
        NEZHA_GEN,
        NEZHA_GEN_POETRY,
        ROFORMER,
        ZHUIYI,
        SIMBERT,
        T5_PEGASUS,
        MT5,
    )
}


@dataclasses.dataclass(frozen=True)
class Hints:
    """What besides the variables may tell a family.

    Args:
        path: Names of the file and of its folder, in one string.
        config_keys: Keys of the configuration JSON with a true value.
        words: Whether the vocabulary has tokens of several Chinese characters;
            None without a vocabulary.
        mask: Whether the vocabulary has [MASK]; None without a vocabulary.
    """

    path: str = ""
    config_keys: frozenset[str] = frozenset()
    words: bool | None = None
    mask: bool | None = None

    def path_fits(self, family: Family) -> bool:
        """Whether the names on the path are those of the family's releases."""
        return bool(family.path_hint and re.search(family.path_hint, self.path.lower()))

    def config_fits(self, family: Family) -> bool:
        """Whether the configuration has the key that only the family has."""
        return family.config_hint in self.config_keys

    def vocab_fits(self, family: Family) -> bool:
        """Whether the vocabulary has the family's peculiarity."""
        if family.vocab_hint == "words":
            return self.words is True
        return family.vocab_hint == "no_mask" and self.mask is False


@dataclasses.dataclass(frozen=True)
class Match:
    """How a family explains the variables of a checkpoint.

    Args:
        family: The family.
        names: Our weight paths to checkpoint names.
        slots: Optimizer slots and counters, never read.
        other: Variables of another part or of heads for other tasks, not read.
        unknown: Variables that the family does not explain.
        absent: Required templates without any variable.
        tasks: ELECTRA's names of fine-tuning tasks, by head.
    """

    family: Family
    names: dict[str, str]
    slots: tuple[str, ...]
    other: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: tuple[str, ...]
    tasks: dict[str, tuple[str, ...]]

    @property
    def exact(self) -> bool:
        """Whether every variable is explained and none is absent."""
        return not self.unknown and not self.absent

    @property
    def lacks(self) -> tuple[str, ...]:
        """Pooler and pre-training heads that the family has and these names do not."""
        parts = ("encoder/pooler", "mlm", "sentence_pair", "rtd")
        return tuple(
            part.split("/")[-1]
            for part in parts
            if any(path.startswith(f"{part}/") for path in self.family.weights)
            and not any(path.startswith(f"{part}/") for path in self.names)
        )


def match(family: Family, variables: Iterable[str]) -> Match:
    """Sort the variables of a checkpoint by what the family makes of them."""
    names: dict[str, str] = {}
    slots: list[str] = []
    rest: list[str] = []
    other, unknown = [], []
    tasks: dict[str, set[str]] = {}
    for variable in sorted(variables):
        # Slots first: they are most of a checkpoint, and one pattern tells them.
        (slots if SLOTS.fullmatch(variable) else rest).append(variable)
    scoped = family.scoped(rest)
    for variable in rest:
        if variable in scoped:
            path, task = scoped[variable]
            names.setdefault(path, variable)
            tasks.setdefault(path.split("/")[0], set()).add(task)
        elif (found := family.ours(variable)) is not None:
            names.setdefault(found[0], variable)
        elif family.is_other(variable):
            other.append(variable)
        else:
            unknown.append(variable)
    present = {re.sub(r"_\d+", "_0", name) for name in names}
    absent = [
        template for template in family.required if not present & _examples(template)
    ]
    return Match(
        family,
        names,
        tuple(slots),
        tuple(other),
        tuple(unknown),
        tuple(absent),
        {head: tuple(sorted(names)) for head, names in tasks.items()},
    )


def _examples(template: str) -> set[str]:
    """Return the paths of a template's first layer."""
    fields = {"i": "0", "g": "0", "j": "0", "qkv": "query", "task": "t"}
    return {
        template.format(**fields, w=w, n=n)
        for w in ("kernel", "bias")
        for n in ("gamma", "beta")
    }


def family_named(name: str) -> Family:
    """Return the family of that name.

    Raises:
        FamilyError: There is none.
    """
    if name not in FAMILIES:
        close = difflib.get_close_matches(name, FAMILIES, n=1)
        raise FamilyError(
            f"family={name!r} is unknown; there are {', '.join(FAMILIES)}."
            + (f" Did you mean {close[0]!r}?" if close else "")
        )
    return FAMILIES[name]


def recognise(
    variables: Iterable[str],
    *,
    where: str,
    hints: Hints | None = None,
    family: str | None = None,
    part: str | None = None,
    among: Sequence[str] = (),
) -> Match:
    """Return the family that explains the variables of a checkpoint exactly.

    Of several that do, the one that leaves the fewest to "other parts" wins; then
    the one for which the configuration speaks, then the path, then the vocabulary.

    Args:
        variables: Names in the checkpoint.
        where: The checkpoint, for messages.
        hints: What else is known.
        family: Take this one, if it fits.
        part: "discriminator" or "generator" of an ELECTRA checkpoint; None means
            the discriminator, or what `family` is.
        among: Names of the families to consider; default all.

    Raises:
        FamilyError: No family fits, or several do; the message names the variables
            that decided.
    """
    variables = list(variables)
    hints = hints or Hints()
    if family is not None:
        given = family_named(family)
        if part not in (None, given.part) and given.part != "both":
            raise FamilyError(
                f"{where}: part={part!r} is not in family {family!r}, which is "
                f"{given.title}"
            )
        declared = match(given, variables)
        # The heads told the family; where it is named, an encoder alone will do.
        absent = tuple(p for p in declared.absent if p.startswith("encoder/"))
        declared = dataclasses.replace(declared, absent=absent)
        return _demand(declared, where)
    wanted = {"", "both", part or "discriminator"}
    known = [FAMILIES[name] for name in among or FAMILIES]
    found = [match(f, variables) for f in known if f.part in wanted]
    fits = [m for m in found if m.exact]
    if part == "generator" and not any(m.family.part for m in fits):
        raise FamilyError(
            f"{where}: part='generator' needs an ELECTRA checkpoint with variables "
            "generator/... or generator_predictions/...; there are none"
        )
    if not fits and part is None:
        generators = [f for f in FAMILIES.values() if f.part == "generator"]
        if any(match(family, variables).exact for family in generators):
            raise FamilyError(
                f"{where}: holds the generator of an ELECTRA alone. Pass "
                "part='generator'"
            )
    if not fits:
        _demand(min(found, key=lambda m: len(m.unknown) + len(m.absent)), where)
    fewest = min(len(m.other) for m in fits)
    fits = [m for m in fits if len(m.other) == fewest]
    return _choose(fits, hints, where)


def _choose(fits: list[Match], hints: Hints, where: str) -> Match:
    if len(fits) == 1:
        return fits[0]
    for speaks in (hints.config_fits, hints.path_fits, hints.vocab_fits):
        chosen = [m for m in fits if speaks(m.family)]
        if len(chosen) == 1:
            return chosen[0]
        fits = chosen or fits
    plain = [m for m in fits if not m.family.hint_only]
    if hints.mask:
        # A vocabulary with [MASK] speaks against the families that have none.
        plain = [m for m in plain if m.family.vocab_hint != "no_mask"]
    if len(plain) == 1:
        return plain[0]
    options = " or ".join(f"family={m.family.name!r} ({m.family.title})" for m in fits)
    raise FamilyError(
        f"{where}: the variables fit several families, and neither configuration nor "
        f"the names of file and folder nor a vocab.txt tell which. Pass {options}"
    )


def _demand(found: Match, where: str) -> Match:
    """Return an exact match or say what keeps the nearest one from fitting.

    Raises:
        FamilyError: It does not fit.
    """
    if found.exact:
        return found
    lines = []
    if found.unknown:
        lines.append(f"unknown variables {_some(found.unknown)}")
    if found.absent:
        missing = [found.family.theirs(p)[0] for p in map(_first, found.absent)]
        lines.append(f"no variables {_some(missing)}")
    known = ", ".join(FAMILIES)
    raise FamilyError(
        f"{where}: no known family has these variables. Nearest is "
        f"{found.family.name!r}, but there are {' and '.join(lines)}. Known: {known}"
    )


def _first(template: str) -> str:
    return sorted(_examples(template))[0]


def _some(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
