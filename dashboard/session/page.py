"""What lies over the panes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, text
from dashboard.session.kept import Kept


class PageChoices(param.Parameterized):
    """Choices of the page as a whole."""

    stage = param.String("", doc="The large view over the panes, by its name in app; empty: none.")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {"open": text("stage")}
    KEPT: ClassVar[tuple[Kept, ...]] = ()
