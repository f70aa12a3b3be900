"""Where the data files of the project lie: weights, style sheet, logo."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def asset(name: str) -> Path:
    """Path of a file in ``assets/``, in a checkout and in an installed wheel alike."""
    packed = _HERE / "_assets" / name
    return packed if packed.exists() else _HERE.parent / "assets" / name
