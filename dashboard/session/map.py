"""How the map is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import param

from dashboard.session.carried import Carried, flag
from dashboard.session.kept import Kept


class MapChoices(param.Parameterized):
    """Choices of the map pane."""

    show_clusters = param.Boolean(False, doc="Clusters over the map.")

    ADDRESS: ClassVar[Mapping[str, Carried]] = {"overlay": flag("show_clusters")}
    KEPT: ClassVar[tuple[Kept, ...]] = ()
