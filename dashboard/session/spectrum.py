"""How the spectrum is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, choice
from dashboard.session.kept import Kept

SCALES = ("linear", "log", "sqrt")


class SpectrumChoices(param.Parameterized):
    """Choices of the spectrum pane."""

    scale = param.Selector(objects=list(SCALES), default="log")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {"scale": choice("scale", SCALES)}
    KEPT: ClassVar[tuple[Kept, ...]] = ()
