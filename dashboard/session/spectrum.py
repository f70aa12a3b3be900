"""How the spectrum is shown, which peak is asked about, and which energies are mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import param

from dashboard.session.carried import Carried, choice, flag, number
from dashboard.session.kept import Kept

SCALES = ("linear", "log", "sqrt")
STATISTICS = ("mean", "sum", "max")
READ_FROM = ("selection", "scan")
MOST_KEV = 200.0


class SpectrumChoices(param.Parameterized):
    """Choices of the spectrum pane."""

    scale = param.Selector(objects=list(SCALES), default="log")
    statistic = param.Selector(
        objects=list(STATISTICS), default="mean", doc="Of the pixels' counts in each channel."
    )
    peak_names = param.Boolean(True, doc="Peaks carry the names of the elements found.")
    show_fit = param.Boolean(False, doc="Model, background and residual over the spectrum.")
    read_from = param.Selector(
        objects=list(READ_FROM),
        default="selection",
        doc="Whose spectrum is fitted and explained; the scan's where nothing is selected.",
    )
    peak_kev = param.Number(
        None, allow_None=True, bounds=(0.0, MOST_KEV), doc="The peak asked about."
    )
    energy_window_kev = param.NumericTuple(
        None, length=2, allow_None=True, doc="Energies whose counts are mapped, low before high."
    )
    window_threshold = param.Number(
        None, allow_None=True, doc="Counts from which a window's map is in colour; None: by noise."
    )
    window_net = param.Boolean(True, doc="Of the window: less the background beside it.")
    calibration_pairs = param.ClassSelector(
        class_=tuple, default=(), doc="Peaks named for a calibration: (channel, name of the line)."
    )
    drop_channels = param.Integer(
        None, allow_None=True, bounds=(0, None),
        doc="Channels left out at each end when pixels are compared; None: the usual share.",
    )  # fmt: skip

    ADDRESS: ClassVar[Mapping[str, Carried]] = {
        "scale": choice("scale", SCALES),
        "statistic": choice("statistic", STATISTICS),
        "peaks": flag("peak_names"),
        "fit": flag("show_fit"),
        "from": choice("read_from", READ_FROM),
        "peak": number("peak_kev", 0.0, MOST_KEV),
        "window": Carried(
            "energy_window_kev",
            lambda window: f"{window[0]:.4g}-{window[1]:.4g}",
            lambda given: read_window(given),
        ),
        "net": flag("window_net"),
        "ends": Carried("drop_channels", str, lambda given: _channels(given)),
    }
    KEPT: ClassVar[tuple[Kept, ...]] = ()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.param.watch(self._element_ends_window, "element")

    def _element_ends_window(self, event: param.parameterized.Event) -> None:
        """A map shows one thing: the element chosen last, or the window dragged last."""
        if event.old:
            self.energy_window_kev = None


def read_window(given: str) -> tuple[float, float]:
    """The window behind ``6.2-6.6``; raises ValueError, in words."""
    low, _, high = given.partition("-")
    try:
        window = (float(low), float(high))
    except ValueError:
        window = (1.0, 0.0)
    if not 0.0 <= window[0] < window[1] <= MOST_KEV:
        raise ValueError("is no window of energies in keV, such as 6.2-6.6")
    return window


def _channels(given: str) -> int:
    if not given.isdecimal() or len(given) > 6:
        raise ValueError("is not a number of channels")
    return int(given)
