"""What the user says of elements against what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["present", "absent", ""]
"""``""``: as found."""
VERDICTS: tuple[Verdict, ...] = ("present", "absent")


@dataclass(frozen=True)
class Overrides:
    """The verdicts of one data set: by symbol, sorted, without those left as found.

    ``dataset`` is the id of the data set they belong to; empty until one is open.
    """

    dataset: str = ""
    verdicts: tuple[tuple[str, Verdict], ...] = ()

    def of(self, symbol: str) -> Verdict:
        """What is said of an element; empty where it is left as found."""
        return dict(self.verdicts).get(symbol, "")

    def saying(self, verdict: Verdict) -> tuple[str, ...]:
        """The elements of which this is said."""
        return tuple(symbol for symbol, said in self.verdicts if said == verdict)

    def changed(self, changes: Mapping[str, Verdict]) -> Overrides:
        """With other verdicts on some elements; an empty one leaves the element as found."""
        merged = {**dict(self.verdicts), **changes}
        return Overrides(self.dataset, tuple(sorted((s, v) for s, v in merged.items() if v)))

    def changes_from(self, before: Overrides) -> dict[str, Verdict]:
        """What :meth:`changed` needs to lead from there to here."""
        here, there = dict(self.verdicts), dict(before.verdicts)
        symbols = sorted({*here, *there})
        return {s: here.get(s, "") for s in symbols if here.get(s) != there.get(s)}

    @classmethod
    def read(cls, dataset: str, held: Any) -> Overrides:
        """From what JSON holds, ``{"As": "absent"}``; what makes no sense is left out."""
        items = held.items() if isinstance(held, dict) else ()
        sound = {symbol: said for symbol, said in items if said in VERDICTS}
        return cls(dataset).changed(sound)
