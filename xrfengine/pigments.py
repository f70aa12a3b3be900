"""Pigments that would explain the elements of a selection: candidates, never findings.

X-ray fluorescence sees elements, not compounds: what it cannot tell apart stays together, and
what it cannot see is said. The table is ``assets/pigments.json``, with its sources.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xrfengine.assets import asset
from xrfengine.findings import Identified
from xrfengine.lines import SYMBOLS, atomic_number, labelled_lines
from xrfengine.names import element_name

LIGHTEST_SEEN = 11
"""Atomic number of sodium: lighter elements never reach a detector."""
LIGHT = 17
"""Up to chlorine, a varnish or a few centimetres of air take most of what an element emits."""
CLOSE_KEV = 0.12
"""Lines as near as this are one peak to a detector of some 0.13 keV."""
_MANY_LINES = 70
"""From ytterbium on, Lβ and the M lines say whether an Lα is the element's."""
_STANDS_OUT = 3.0
"""Standard errors from which net counts are more than noise."""
_HELPED, _AGAINST, _NOISE, _WEAK, _WRONG_RATIO = 0.25, 0.55, 0.5, 0.4, 0.4


@dataclass(frozen=True)
class Ratio:
    """A ratio of net counts that a pigment would show: roughly, for instruments differ."""

    of: str
    to: str
    at_least: float
    told: str


@dataclass(frozen=True)
class Pigment:
    """One entry of the table.

    Attributes
    ----------
    needs : tuple of str
        Elements that must all be here.
    helps : tuple of str
        Elements that often come with it.
    against : mapping
        Elements that rather speak for something else, with the words for it.
    is_weak : bool
        Its elements prove little, being light or everywhere.
    sources : tuple of str
        Full references.
    """

    id: str
    name: str
    formula: str
    colour: str
    needs: tuple[str, ...]
    helps: tuple[str, ...]
    dates: str
    sources: tuple[str, ...]
    against: Mapping[str, str] = field(default_factory=dict)
    ratio: Ratio | None = None
    note: str = ""
    is_weak: bool = False

    @property
    def elements(self) -> tuple[str, ...]:
        """Every element of the formula, once."""
        return formula_elements(self.formula)


@dataclass(frozen=True)
class Unseen:
    """What X-ray fluorescence does not see at all, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Candidate:
    """A pigment that would explain some of the elements.

    Attributes
    ----------
    score : float
        0…1, to rank by; no probability.
    speaks_for, speaks_against, unseen : tuple of str
        Sentences without a full stop.
    same : tuple of str
        Names of other pigments that the same elements would show as well.
    """

    pigment: Pigment
    score: float
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    unseen: tuple[str, ...]
    same: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """In one line, worded as a candidate."""
        here = f"{_and(self.pigment.needs)} {_is(self.pigment.needs)} here"
        told = "; ".join([here, *self.unseen[:1]])
        return f"{self.pigment.name} ({self.pigment.formula}): {told}"


@functools.cache
def pigments() -> tuple[Pigment, ...]:
    """The table, in its order."""
    held = _table()
    return tuple(_read(entry, held["sources"]) for entry in held["pigments"])


@functools.cache
def unseen() -> tuple[Unseen, ...]:
    """What no element map shows."""
    return tuple(Unseen(entry["name"], entry["why"]) for entry in _table()["unseen"])


@functools.cache
def _table() -> dict[str, Any]:
    return json.loads(asset("pigments.json").read_text(encoding="utf-8"))


def _read(entry: dict[str, Any], sources: Mapping[str, str]) -> Pigment:
    ratio = entry.get("ratio")
    return Pigment(
        entry["id"],
        entry["name"],
        entry["formula"],
        entry["colour"],
        tuple(entry["needs"]),
        tuple(entry["helps"]),
        entry["dates"],
        tuple(sources[key] for key in entry["sources"]),
        entry.get("against", {}),
        None if ratio is None else Ratio(**ratio),
        entry.get("note", ""),
        entry.get("weak", False),
    )


def formula_elements(formula: str) -> tuple[str, ...]:
    """Symbols in a formula, each once: ``"HgS"`` gives Hg and S."""
    found = re.findall(r"[A-Z][a-z]?", formula)
    return tuple(dict.fromkeys(symbol for symbol in found if symbol in SYMBOLS[1:]))


def candidates(
    identified: Iterable[Identified],
    net_counts: Mapping[str, tuple[float, float]] | None = None,
    *,
    overruled: Iterable[tuple[str, bool]] = (),
) -> tuple[Candidate, ...]:
    """Pigments whose elements are all here, the likeliest first.

    Parameters
    ----------
    identified : iterable of Identified
        Verdicts on one spectrum.
    net_counts : mapping or None
        Net counts a pixel with their standard error, by symbol, where a fit is at hand.
    overruled : iterable of (str, bool)
        Elements that somebody declared present or absent, against the verdicts.

    Returns
    -------
    tuple of Candidate
        None that rests on an element of the instrument: tube, air, metal near the beam. Pigments
        that need the same elements follow each other and name each other.
    """
    present = {item.symbol: item.probability for item in identified if _counts(item)}
    for symbol, is_in in overruled:
        if is_in:
            present[symbol] = 1.0
        else:
            present.pop(symbol, None)
    fitted = net_counts or {}
    judged = [
        _judge(pigment, present, fitted)
        for pigment in pigments()
        if all(symbol in present for symbol in pigment.needs)
    ]
    judged.sort(key=lambda each: (-round(each.score, 3), -len(each.pigment.needs)))
    return tuple(_with_same(judged))


def grouped(listed: Iterable[Candidate]) -> tuple[tuple[Candidate, ...], ...]:
    """Candidates that need the same elements, together; the groups in the order of their best."""
    groups: dict[frozenset, list[Candidate]] = {}
    for each in listed:
        groups.setdefault(frozenset(each.pigment.needs), []).append(each)
    return tuple(tuple(group) for group in groups.values())


def from_instrument(identified: Iterable[Identified]) -> tuple[str, ...]:
    """Elements whose pigments cannot be judged here: the instrument shows them anyway."""
    known = {symbol for pigment in pigments() for symbol in pigment.needs}
    return tuple(
        item.symbol
        for item in identified
        if item.present and item.is_instrument and item.symbol in known
    )


def _counts(item: Identified) -> bool:
    return item.present and not item.is_instrument


def _judge(
    pigment: Pigment, present: Mapping[str, float], fitted: Mapping[str, tuple[float, float]]
) -> Candidate:
    score = math.prod(present[s] for s in pigment.needs) ** (1 / len(pigment.needs))
    speaks_for, against = [_here(pigment.needs, present)], []
    helpers = [symbol for symbol in pigment.helps if symbol in present]
    heavy = [symbol for symbol in helpers if atomic_number(symbol) > LIGHT]
    if helpers:
        speaks_for.append(f"{_and(helpers)} often {_come(helpers)} with it")
    # One element explains little; several together, and their usual company, explain more.
    share = len(heavy) / len(pigment.helps) if pigment.helps else 0.0
    weight = 1.0 - 0.5 ** len(pigment.needs)
    score *= weight + (1.0 - weight) * _HELPED * (1.0 + 2.0 * share)
    for symbol in pigment.needs:
        counts, error = fitted.get(symbol, (math.inf, 1.0))
        if counts < _STANDS_OUT * error:
            against.append(
                f"the fit sees no {symbol} that stands out ({counts:.3g} ± {error:.2g} counts)"
            )
            score *= _NOISE
        against += _mistakable(symbol, present, fitted)
    for symbol, words in pigment.against.items():
        if symbol in present:
            against.append(f"{symbol} is here as well: {words}")
            score *= _AGAINST
    if pigment.ratio is not None:
        score *= _judge_ratio(pigment.ratio, fitted, speaks_for, against)
    if pigment.is_weak:
        score *= _WEAK
    return Candidate(
        pigment, score, tuple(speaks_for), tuple(against), tuple(_unseen(pigment, present))
    )


def _judge_ratio(
    ratio: Ratio, fitted: Mapping[str, tuple[float, float]], speaks_for: list, against: list
) -> float:
    if ratio.of not in fitted or ratio.to not in fitted or fitted[ratio.to][0] <= 0:
        return 1.0
    value = fitted[ratio.of][0] / fitted[ratio.to][0]
    told = f"net counts {ratio.of}/{ratio.to} {value:.2g}; {ratio.told}"
    if value >= ratio.at_least:
        speaks_for.append(told)
        return 1.0
    against.append(told)
    return _WRONG_RATIO


def _unseen(pigment: Pigment, present: Mapping[str, float]) -> Iterable[str]:
    """What of the formula XRF does not tell: light elements, and those below other lines."""
    silent, faint = [], []
    for symbol in pigment.elements:
        number = atomic_number(symbol)
        if number < LIGHTEST_SEEN:
            silent.append(symbol)
        elif symbol not in pigment.needs:
            hidden = (
                overlaps(symbol, [o for o in present if o != symbol]) if number <= LIGHT else ()
            )
            if hidden:
                yield f"{symbol} cannot be told from {hidden[1]} {hidden[2]} lines"
            elif symbol not in present:
                faint.append(symbol)
    if faint:
        light = [s for s in faint if atomic_number(s) <= LIGHT]
        heavy = [s for s in faint if atomic_number(s) > LIGHT]
        if light:
            yield f"{_and(light)} {_is(light)} not seen, which says little: so light"
        if heavy:
            yield f"{_and(heavy)} {_is(heavy)} not seen"
    if silent:
        yield f"{_and(silent)} {_is(silent)} never seen"


def _mistakable(
    symbol: str, present: Mapping[str, float], fitted: Mapping[str, tuple[float, float]]
) -> list[str]:
    """What else here could be taken for an element; nothing for those of many strong lines."""
    if atomic_number(symbol) >= _MANY_LINES:
        return []
    hidden = overlaps(symbol, [other for other in present if other != symbol])
    if not hidden:
        return []
    told, other, _ = hidden
    if told.endswith("β"):
        # A Kβ is a small part of its element: it hides only what is far weaker.
        mine, theirs = (fitted.get(each, (0.0, 0.0))[0] for each in (symbol, other))
        if theirs <= 2.0 * mine:
            return []
    return [f"{told}: {symbol} may be mistaken for {other}"]


@functools.lru_cache(maxsize=4096)
def _overlap(symbol: str, other: str) -> tuple[str, str] | None:
    """Names of the first pair of lines of two elements that are one peak, or None."""
    names = {line.name: line.energy_kev for line in labelled_lines(symbol, 0.9, 30.0)}
    main = "Kα" if "Kα" in names else "Lα"
    if main not in names:
        return None
    for theirs in labelled_lines(other, 0.9, 30.0):
        is_strong = theirs.name in ("Kα", "Kβ", "Lα", "Lβ", "Mα")
        if is_strong and abs(names[main] - theirs.energy_kev) <= CLOSE_KEV:
            return main, theirs.name
    return None


def overlaps(symbol: str, others: Iterable[str]) -> tuple[str, str, str] | tuple[()]:
    """The heaviest of the other elements whose line lies on the main line of this one.

    Returns
    -------
    tuple
        The sentence, the other's symbol, the letter of its family; empty where there is none.
    """
    for other in sorted(others, key=atomic_number, reverse=True):
        pair = _overlap(symbol, other)
        if pair is not None:
            return f"{symbol} {pair[0]} lies on {other} {pair[1]}", other, pair[1][0]
    return ()


def _with_same(judged: list[Candidate]) -> Iterable[Candidate]:
    for group in grouped(judged):
        for each in group:
            others = tuple(o.pigment.name for o in group if o is not each)
            yield replace(each, same=others)


def _here(symbols: Iterable[str], present: Mapping[str, float]) -> str:
    named = [f"{s} ({element_name(s).lower()}, {present[s]:.2f})" for s in symbols]
    return f"{_and(named)} {_is(named)} here"


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _is(words: Iterable[str]) -> str:
    return "are" if len(tuple(words)) > 1 else "is"


def _come(words: Iterable[str]) -> str:
    return "come" if len(tuple(words)) > 1 else "comes"


__all__ = [
    "Candidate",
    "Pigment",
    "Unseen",
    "candidates",
    "formula_elements",
    "from_instrument",
    "grouped",
    "overlaps",
    "pigments",
    "unseen",
]
