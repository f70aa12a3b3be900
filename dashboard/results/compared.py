"""What the panes side by side show: from a choice to arrays, in a worker thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboard.names import element_name
from dashboard.plots.pictures import value_limit, window_limits
from dashboard.results.evened import evened, evened_counts, evened_window, monitor_of
from dashboard.session.compare import Shown
from xrfengine.cube import Calibration, Cube, Spectrum
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress, part
from xrfengine.pictures import grey_limits

if TYPE_CHECKING:
    from xrfengine.maps.fit import FitMaps
    from xrfengine.maps.ratio import Ratio

MOST_POINTS = 360
"""Of the spectrum of a component as it is drawn."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for now; read on the loop, for threads must not look at the session."""

    shown: Shown
    dataset: str
    element: str
    region_px: int
    thresholds: dict[tuple[str, str], float]
    n_components: int = 8
    normalise: str = "none"
    window_kev: tuple[float, float] | None = None
    window_net: bool = True
    also: tuple[str, ...] = ()
    """Of the scan that is open: elements that are fitted because the user says they are there."""
    calibration: Calibration | None = None
    """Of the scan that is open, whose energies may be given anew."""


Open = Callable[..., tuple[Cube, tuple[str, ...]]]
"""From a data set's id to its cube under the calibration that is kept with it, and the elements
that the user says are there."""


@dataclass(frozen=True)
class ComponentSpectrum:
    """The spectrum of a component as it is drawn under its map."""

    energy_kev: tuple[float, ...]
    heights: tuple[float, ...]
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """One map with all that is said of it.

    Attributes
    ----------
    values, errors : ndarray, float32, shape (y, x); errors may be None
        nan where nothing is shown.
    unit : {"probability", "counts", "ratio"}
    low, high : float
        Where colours begin and end.
    hides_below : bool
        Whether pixels below ``low`` show the grey image.
    title, detail : str
    names : tuple of (word, name)
        What can be chosen instead.
    name : str
        Which of these it is.
    """

    values: np.ndarray
    total_counts: np.ndarray
    grey: tuple[float, float]
    unit: str
    low: float
    high: float
    title: str
    detail: str = ""
    hides_below: bool = True
    errors: np.ndarray | None = None
    names: tuple[tuple[str, str], ...] = ()
    name: str = ""
    spectrum: ComponentSpectrum | None = None


def picture(
    engine: Any, open_scan: Open, wanted: Wanted, *, progress: Progress, cancel: CancelToken
) -> Picture:
    """The map of a pane; may take as long as a fit of every pixel.

    Raises
    ------
    XRFError
        If the scan cannot be opened, or does not hold what is asked for.
    Cancelled
    """
    scan = wanted.shown.scan or wanted.dataset
    cube, also = open_scan(scan, progress=part(progress, 0.0, 0.05), cancel=cancel)
    wanted = replace(wanted, also=also)
    make = {"lines": _lines, "ratio": _ratio, "component": _component, "window": _window}
    draw = make.get(wanted.shown.kind, _element)
    drawn = draw(engine, cube, wanted, part(progress, 0.05, 1.0), cancel)
    total = cube.total_counts
    return replace(drawn, total_counts=total, grey=grey_limits(total))


_NOTHING = np.zeros((1, 1), np.float32)


def _element(
    engine: Any, cube: Cube, wanted: Wanted, progress: Progress, cancel: CancelToken
) -> Picture:
    kind, symbol, k = wanted.shown.kind, wanted.shown.name or wanted.element, wanted.region_px
    maps = engine.maps(cube, kind, k, also=wanted.also, progress=progress, cancel=cancel)
    if symbol not in maps.elements:
        raise XRFError(
            f"{element_name(symbol) if symbol else 'The element'} is not in the fit",
            "Its lines do not show in the summed spectrum of this scan.",
        )
    shown = evened(engine, cube, maps, wanted.normalise, wanted.also, cancel=cancel)
    values, errors = shown.maps[symbol], shown.errors
    low = wanted.thresholds.get((kind, symbol), shown.starts[symbol])
    return Picture(
        values, _NOTHING, (0.0, 1.0), "probability" if kind == "probability" else "counts",
        low, max(value_limit(values, maps.kind), low + 1e-6), f"{symbol} {element_name(symbol)}",
        shown.unit if shown.by is not None else "",
        errors=None if errors is None else errors[symbol], name=wanted.shown.name,
    )  # fmt: skip


def _window(
    engine: Any, cube: Cube, wanted: Wanted, progress: Progress, cancel: CancelToken
) -> Picture:
    if wanted.window_kev is None:
        raise XRFError(
            "No window of energies is drawn",
            "Draw one over the spectrum, with the tool at its top; then come back.",
        )
    window = engine.window_map(
        cube, *wanted.window_kev, net=wanted.window_net, region_px=wanted.region_px,
        progress=progress, cancel=cancel,
    )  # fmt: skip
    window = evened_window(engine, cube, window, wanted.normalise, cancel)
    low, high = window_limits(window)
    return Picture(
        window.values, _NOTHING, (0.0, 1.0), "counts", low, max(high, low + 1e-6), window.name,
        window.unit, hides_below=window.net, errors=window.errors,
    )  # fmt: skip


def _lines(
    engine: Any, cube: Cube, wanted: Wanted, progress: Progress, cancel: CancelToken
) -> Picture:
    fit = engine.fit(cube, wanted.region_px, also=wanted.also, progress=progress, cancel=cancel)
    groups = [name for name, element in zip(fit.names, fit.elements, strict=True) if element]
    names = {name.replace(" ", "-"): name for name in groups}
    name = _named(wanted, tuple(names), lambda each: each.split("-")[0])
    by = monitor_of(engine, cube, wanted.normalise, wanted.region_px, cancel)
    values, errors, unit = evened_counts(*fit[names[name]], by)
    low = max(3.0 * float(np.median(errors)), 1e-6)
    return Picture(
        values, _NOTHING, (0.0, 1.0), "counts", low, max(value_limit(values, "fit"), 1.5 * low),
        names[name], unit if by is not None else "", errors=errors, name=name,
        names=tuple((word, key) for key, word in names.items()),
    )  # fmt: skip


def _ratio(
    engine: Any, cube: Cube, wanted: Wanted, progress: Progress, cancel: CancelToken
) -> Picture:
    fit: FitMaps = engine.fit(
        cube, wanted.region_px, also=wanted.also, progress=part(progress, 0.0, 0.5), cancel=cancel
    )
    ratios: dict[str, Ratio] = {
        f"{r.element}-{r.upper}-{r.lower}": r for r in engine.ratios(cube, fit)
    }
    if not ratios:
        raise XRFError(
            "No element shows two groups of lines here",
            "Ratios need both, such as Pb M and Pb L, within the range of the spectrum.",
        )
    name = _named(wanted, tuple(ratios), lambda each: each.split("-")[0])
    result = engine.ratio_map(
        cube, ratios[name], wanted.region_px, also=wanted.also,
        progress=part(progress, 0.5, 1.0), cancel=cancel,
    )  # fmt: skip
    measured = result.values[np.isfinite(result.values)]
    if not measured.size:
        raise XRFError(
            f"{ratios[name].text} is measured in no pixel",
            "Average over more pixels, or choose another ratio.",
        )
    low, high = (float(v) for v in np.percentile(measured, (2.0, 98.0)))
    return Picture(
        result.values, _NOTHING, (0.0, 1.0), "ratio", low, max(high, low * 1.001 + 1e-9),
        ratios[name].text, f"measured in {_share(result.share)} of the pixels",
        hides_below=False, errors=result.errors, name=name,
        names=tuple((ratio.text, key) for key, ratio in ratios.items()),
    )  # fmt: skip


def _component(
    engine: Any, cube: Cube, wanted: Wanted, progress: Progress, cancel: CancelToken
) -> Picture:
    from xrfengine.maps.factors import FactorSettings, nearest_component

    most = max(min(wanted.n_components, cube.n_pixels), 1)
    settings = FactorSettings("nmf", most, wanted.region_px)
    factors = engine.factors(cube, settings, progress=part(progress, 0.0, 0.8), cancel=cancel)
    names = tuple(str(i + 1) for i in range(len(factors.values)))
    if wanted.shown.name in names:
        place = int(wanted.shown.name) - 1
    else:
        windows = engine.maps(cube, "roi", wanted.region_px, cancel=cancel)
        known = wanted.element in windows.elements
        place = nearest_component(factors.values, windows[wanted.element]) if known else 0
    total = float(factors.values[place].sum(dtype=np.float64))
    spectrum = cube.spectrum(
        factors.spectra[place].astype(np.float64) * total, f"component {place + 1}", cube.n_pixels
    )
    likely = likely_elements(engine, cube, spectrum) if total > 0 else ()
    # The spectra are taken apart as they were measured, with the noise they have; how many counts
    # of a component a pixel holds can be evened out afterwards, as any counts can.
    values, unit = factors.values[place], ""
    by = monitor_of(engine, cube, wanted.normalise, wanted.region_px, cancel)
    if by is not None:
        values, unit = values * by.factor, by.unit.removeprefix("net ") + "; "
    # By the largest share first: noise shows as a component, too, but holds few counts.
    return Picture(
        values, _NOTHING, (0.0, 1.0), "counts", 0.0, value_limit(values, "fit"),
        f"Component {place + 1} of {most}",
        f"{unit}{_share(float(factors.share[place]))} of the counts; "
        + (f"likely {', '.join(likely)}" if likely else "no element stands out"),
        hides_below=False, name=wanted.shown.name,
        names=tuple((f"Component {name}", name) for name in names),
        spectrum=drawn_spectrum(spectrum, likely),
    )  # fmt: skip


def likely_elements(engine: Any, cube: Cube, spectrum: Spectrum) -> tuple[str, ...]:
    """The elements of a component's spectrum, at most six, by falling probability."""
    found = engine.identify(spectrum, scan=cube)
    return tuple(each.symbol for each in found if each.present and not each.is_instrument)[:6]


def drawn_spectrum(spectrum: Spectrum, elements: tuple[str, ...]) -> ComponentSpectrum:
    """Heights from 0 to 1 over at most :data:`MOST_POINTS` energies, and the elements' lines."""
    from xrfengine.lines import main_line

    energy, counts = spectrum.energy_kev, np.asarray(spectrum.counts, np.float64)
    seen = np.flatnonzero(counts > 1e-4 * counts.max(initial=0.0))
    stop = int(seen[-1]) + 1 if seen.size else counts.size
    start = min(int(np.searchsorted(energy, 0.5)), stop - 1)
    step = max(1, -(-(stop - start) // MOST_POINTS))
    places = np.arange(start, stop, step)
    # The largest of each step: a narrow peak must not fall between two points.
    heights = np.maximum.reduceat(counts[:stop], places)
    heights = heights / max(heights.max(initial=0.0), 1e-30)
    low, high = float(energy[start]), float(energy[stop - 1])
    lines = ((symbol, main_line(symbol, low, high)) for symbol in elements)
    return ComponentSpectrum(
        tuple(round(float(e), 3) for e in energy[places]),
        tuple(round(float(h), 4) for h in np.sqrt(heights)),
        tuple((round(line.energy_kev, 3), symbol) for symbol, line in lines if line is not None),
    )


def _named(wanted: Wanted, names: tuple[str, ...], element_of: Any) -> str:
    """The name asked for; else the softest of the chosen element, else the first."""
    if wanted.shown.name in names:
        return wanted.shown.name
    if wanted.shown.name:
        raise XRFError(
            f"{wanted.shown.name.replace('-', ' ')} is not measured in this scan",
            "Choose another from the list.",
        )
    mine = [name for name in names if element_of(name) == wanted.element]
    return (mine or names)[0]


def _share(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.095 else f"{share * 100:.1f} %"
