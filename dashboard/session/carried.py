"""How a choice stands in the address bar: one entry a parameter, written and read alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import param

from xrfengine.lines import SYMBOLS


@dataclass(frozen=True)
class Carried:
    """One entry of the address.

    ``read`` turns its text into a value and raises ``ValueError``, in words for the user, if it
    cannot; ``write`` is its inverse. Whatever stands at its default is left out of the address.
    """

    parameter: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def text(parameter: str) -> Carried:
    return Carried(parameter, str, str)


def chemical_element(parameter: str) -> Carried:
    """Of a chemical element."""

    def read(given: str) -> str:
        if given not in SYMBOLS[1:]:
            raise ValueError("is no chemical element up to uranium")
        return given

    return Carried(parameter, str, read)


def choice(parameter: str, choices: Sequence[str]) -> Carried:
    def read(given: str) -> str:
        if given not in choices:
            raise ValueError(f"is not known here; it can be {either(choices)}")
        return given

    return Carried(parameter, str, read)


def whole(parameter: str, low: int, high: int | None) -> Carried:
    limits = f"{low} to {high:,}" if high is not None else f"{low} or more"

    def read(given: str) -> int:
        try:
            number = int(given)
        except ValueError:
            number = None
        if number is None or number < low or (high is not None and number > high):
            raise ValueError(f"is not a whole number from {limits}")
        return number

    return Carried(parameter, str, read)


def number(parameter: str, low: float, high: float) -> Carried:
    def read(given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"is not a number from {low:g} to {high:g}")
        return value

    return Carried(parameter, lambda value: f"{value:.6g}", read)


def flag(parameter: str) -> Carried:
    def read(given: str) -> bool:
        if given not in ("0", "1"):
            raise ValueError("can be 0 or 1")
        return given == "1"

    return Carried(parameter, lambda value: "1" if value else "0", read)


def written(entries: Mapping[str, Carried], session: param.Parameterized) -> dict[str, str]:
    """The entries that are not at their defaults."""
    result = {}
    for name, entry in entries.items():
        value = getattr(session, entry.parameter)
        if value is not None and value != session.param[entry.parameter].default:
            result[name] = entry.write(value)
    return result


def taken(
    entries: Mapping[str, Carried], query: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Values by parameter, and what could not be read, one sentence each."""
    values, notices = {}, []
    for name, entry in entries.items():
        if name in query:
            try:
                values[entry.parameter] = entry.read(query[name])
            except ValueError as reason:
                notices.append(f"“{name}={query[name]}” {reason}.")
    return values, notices


def either(choices: Sequence[str]) -> str:
    return " or ".join((", ".join(choices[:-1]), choices[-1]))
