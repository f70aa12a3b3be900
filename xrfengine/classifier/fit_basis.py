"""The components of fit maps, as the summed spectrum of a cube shows them.

The fit of the sum says what single pixels cannot: ratios within a family of lines, the response's
corrections, how Compton scatter is spread, the background's shape. Pixels then need one amount a
family.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.fit import MODEL_ERROR, SpectrumFit, fit_spectrum
from xrfengine.classifier.fit_priors import corrections
from xrfengine.classifier.fit_shapes import FAMILY_OF_PART, Setup, Shapes, shapes_of
from xrfengine.classifier.fit_solve import fit_bins
from xrfengine.classifier.instrument import PARTS
from xrfengine.cube import Spectrum
from xrfengine.detector import Detector
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS, labelled_lines
from xrfengine.maps.fit_basis import FitBasis

N_BACKGROUNDS = 8
"""Smooth factors on the background of the sum: what pixels may differ by."""

_LEAST_Z = 3.0  # of a further family of an element, or of sum peaks, in the sum spectrum
_RATIO_Z = 5.0  # of a family whose ratios are taken from the sum
_SERIES_SIGMA = 0.3  # how far Lα, Lβ and Lγ may stray from the tables' ratio, 1 σ
_APART_FWHM = 5.0
_LEAST_SHARE = 0.3  # of a family's lines, weighted by what leaves the sample, to stand for it


def basis_of(
    spectrum: Spectrum,
    elements: Sequence[str] | None = None,
    anode: str | None = None,
    *,
    setup: Setup | None = None,
    apart: Sequence[str] = (),
) -> FitBasis:
    """Components for fitting every pixel of a cube.

    Parameters
    ----------
    spectrum : Spectrum
        Sum of the cube.
    elements : sequence of str or None
        Whose lines are fitted; None: those the fit of the sum finds. Argon of the air is added
        where it shows.
    anode : str or None
        Of the tube; None: as the file says, else inferred from the scatter.
    setup : Setup or None
        Instrument, where it has been found before.
    apart : sequence of str
        Elements whose Kα and Kβ (``"Fe Kα"``, ``"Fe Kβ"``) are not tied to the sum's ratio.

    Returns
    -------
    FitBasis
        Line families (``"Fe K"``, ``"Pb L"``, ``"Pb M"``) with silicon or argon escape, Rayleigh
        and Compton scatter of the anode, sum peaks, and a background: that of the sum times
        smooth factors.

    Raises
    ------
    SettingsError
        If an element is unknown or none has lines in the range, or the spectrum is empty.
    """
    if spectrum.total <= 0:
        raise SettingsError("the summed spectrum has no counts", "Choose another cube.")
    if setup is None:
        setup, _ = find_setup(spectrum, anode)
    fit = _fit_of_sum(spectrum, elements, setup)
    parts = _families(fit, elements, apart) + _scatter(fit)
    if not any(element for _, element, _, _ in parts):
        low, high = fit.shapes.centres_kev[[0, -1]]
        raise SettingsError(
            f"none of {', '.join(elements or ('no elements',))} has lines between {low:.2f} and "
            f"{high:.2f} keV",
            "Choose other elements, or check the energy calibration.",
        )
    bent = _response_error(fit)
    names = [name for name, _, _, _ in parts]
    kinds = ["lines" if element else "scatter" for _, element, _, _ in parts]
    symbols = [element for _, element, _, _ in parts]
    shapes = [_corrected(fit.shapes, rows, amounts, bent) for _, _, rows, amounts in parts]
    sums = fit.solution.sums
    if (sums**2 / fit.solution.variance).sum() > _LEAST_Z**2:
        names.append("sum peaks")
        kinds.append("sums")
        shapes.append(sums / sums.sum())
    smooth = _backgrounds(fit)
    shapes = _rebalanced(fit, names, symbols, shapes, smooth)
    names += [f"background {i + 1}" for i in range(len(smooth))]
    kinds += ["background"] * len(smooth)
    symbols += [""] * (len(names) - len(symbols))
    return FitBasis(
        tuple(names),
        tuple(kinds),
        tuple(symbols),
        _main(fit, names, symbols),
        np.array([*shapes, *smooth]),
        fit.shapes.starts * fit.shapes.block,
        min(fit.shapes.end * fit.shapes.block, setup.n_channels),
    )


def _fit_of_sum(spectrum: Spectrum, elements: Sequence[str] | None, setup: Setup) -> SpectrumFit:
    """The sum taken apart, argon of the air added where its lines are excited.

    Here the model must follow the counts: no inflated variance, with which strong lines that are
    badly described would hardly count.
    """
    if elements is None:
        elements = fit_spectrum(spectrum, setup=setup).elements
    unknown = [symbol for symbol in elements if symbol not in ELEMENTS]
    if unknown:
        raise SettingsError(
            f"no lines are fitted for {', '.join(unknown)}", f"Choose from {', '.join(ELEMENTS)}."
        )
    chosen = {ELEMENTS.index(symbol) for symbol in elements}
    if setup.excitation == "tube" and setup.air_cm > 0:
        chosen.add(ELEMENTS.index("Ar"))
    shapes = shapes_of(setup)
    solution = fit_bins(
        shapes, spectrum.counts, np.array(sorted(chosen)), model_error=MODEL_ERROR, n_rounds=4
    )
    return SpectrumFit(setup, shapes, solution, shapes.to_bins(shapes.to_fine(spectrum.counts)))


def _families(
    fit: SpectrumFit, asked: Sequence[str] | None, apart: Sequence[str]
) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, element, rows of the shapes and their shares of each family to be fitted."""
    shapes, solution = fit.shapes, fit.solution
    family = np.array([FAMILY_OF_PART[part] for part in shapes.part])
    found = []
    for element in solution.elements:
        mine = np.flatnonzero(shapes.element[solution.rows] == element)
        main = _main_family(shapes, int(element))
        for letter in "KLM":
            inside = mine[family[solution.rows[mine]] == letter]
            if not inside.size:
                continue
            rows = solution.rows[inside]
            counts = solution.counts[inside]
            variance = solution.covariance[np.ix_(inside, inside)].sum()
            z = counts.sum() / np.sqrt(variance) if variance > 0 else 0.0
            wanted = asked is None or ELEMENTS[element] in asked
            if z < _LEAST_Z and not (letter == main and wanted):
                continue
            shares = counts if z > _RATIO_Z else shapes.share[rows]
            symbol = ELEMENTS[element]
            if letter == "K" and symbol in apart:
                found += [
                    (f"{symbol} {PARTS[shapes.part[row]]}", symbol, np.array([row]), np.ones(1))
                    for row in rows
                ]
                continue
            found.append((f"{symbol} {letter}", symbol, rows, shares / shares.sum()))
    return found


def _main_family(shapes: Shapes, element: int) -> str:
    """The hardest family that holds a fair share of the element's expected counts."""
    rows = np.flatnonzero(shapes.element == element)
    # Below 3 keV lines are lost in air, cover and neighbours.
    share = shapes.share[rows] * np.where(shapes.row_kev[rows] < 3.0, 0.3, 1.0)
    total = dict.fromkeys("KLM", 0.0)
    for row, one in zip(rows, share, strict=True):
        total[FAMILY_OF_PART[shapes.part[row]]] += float(one)
    enough = _LEAST_SHARE * max(total.values())
    return next(letter for letter in "KLM" if total[letter] >= enough)


def _main(fit: SpectrumFit, names: list[str], symbols: list[str]) -> tuple[str, ...]:
    main = []
    for symbol in dict.fromkeys(s for s in symbols if s):
        best = f"{symbol} {_main_family(fit.shapes, ELEMENTS.index(symbol))}"
        main.append(best if best in names else names[symbols.index(symbol)])
    return tuple(main)


def _scatter(fit: SpectrumFit) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Rayleigh and Compton peaks of each series of the anode, angles as the sum has them."""
    names, counts = fit.shapes.scatter_names, fit.solution.scatter_counts
    first = fit.shapes.element.size
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        kind, series = name.split()[:2]
        label = kind if series == "mono" else f"{kind} {series[0]}"
        groups.setdefault(label, []).append(i)
    found = []
    for name, members in groups.items():
        amounts = counts[members]
        if amounts.sum() > 0:
            rows = first + np.array(members)
            found.append((name, "", rows, amounts / amounts.sum()))
    return found


def _lines_fine(shapes: Shapes, rows: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    return (amounts.astype(np.float32) @ shapes.fine[rows]).astype(np.float64)


def _response_error(fit: SpectrumFit) -> np.ndarray:
    """First-order corrections of the response that the sum asks for, shape (correction,)."""
    shapes, solution = fit.shapes, fit.solution
    n_lines = shapes.element.size
    every = np.concatenate([solution.rows, n_lines + np.arange(solution.scatter_counts.size)])
    amounts = np.concatenate([solution.counts, solution.scatter_counts])
    signed, prior = corrections(
        shapes, solution.rows, solution.counts, _lines_fine(shapes, every, amounts)
    )
    rest = fit.counts - amounts @ shapes.binned[every] - solution.background - solution.sums
    weighted = signed / solution.variance
    return np.linalg.solve(weighted @ signed.T + np.linalg.inv(prior), weighted @ rest)


def _corrected(
    shapes: Shapes, rows: np.ndarray, amounts: np.ndarray, bent: np.ndarray
) -> np.ndarray:
    """One component with the corrections of the response, unit sum, shape (bin,)."""
    fine = _lines_fine(shapes, rows, amounts)
    lines = rows < shapes.element.size
    signed, _ = corrections(shapes, rows[lines], amounts[lines], fine)
    shape = np.maximum(shapes.to_bins(fine) + bent @ signed, 0.0)
    return shape / shape.sum()


def _rebalanced(
    fit: SpectrumFit,
    names: list[str],
    symbols: list[str],
    shapes: list[np.ndarray],
    smooth: np.ndarray,
) -> list[np.ndarray]:
    """The shapes, those of L families with Lα, Lβ and Lγ in the ratio that the sum shows.

    A thick layer absorbs its own Lγ above its L edges, and less of Lβ than of Lα: tables alone
    are off by tens of percent, and a family with a wrong ratio takes counts from its neighbours.
    """
    from scipy.optimize import nnls

    kev, y = fit.shapes.centres_kev, fit.counts
    total = y.sum()
    pieces: list[np.ndarray] = []
    family: list[int] = []
    for i, shape in enumerate(shapes):
        cuts: list[float] = []
        if i < len(symbols) and symbols[i] and names[i].endswith(" L"):
            cuts = _between_series(symbols[i], fit.setup.detector)
        parts = [shape * (np.searchsorted(cuts, kev) == k) for k in range(len(cuts) + 1)]
        kept = [part for part in parts if part.sum() > 1e-3]
        pieces += kept
        family += [i] * len(kept)
    columns = np.array([*pieces, *smooth])
    deviation = np.sqrt(fit.solution.variance)
    first, _ = nnls((np.array([*shapes, *smooth]) / deviation).T, y / deviation)
    rows, right = [(columns / deviation).T], [y / deviation]
    for i in sorted({i for i in family if family.count(i) > 1}):
        mine = np.flatnonzero(np.array(family) == i)
        ties = np.zeros((mine.size, len(columns)))
        ties[np.arange(mine.size), mine] = 1.0
        ties[:, mine] -= 1.0 / mine.size
        rows.append(ties / (_SERIES_SIGMA * max(first[i], 1e-6 * total)))
        right.append(np.zeros(mine.size))
    found, _ = nnls(np.concatenate(rows), np.concatenate(right))
    new = list(shapes)
    for i in {i for i in family if family.count(i) > 1}:
        mine = np.flatnonzero(np.array(family) == i)
        if found[mine].min() > 0.2 * found[mine].max():
            shape = found[mine] @ columns[mine]
            new[i] = shape / shape.sum()
    return new


def _between_series(symbol: str, detector: Detector) -> list[float]:
    """Energies between Lα, Lβ and Lγ, keV, where the detector keeps these well apart."""
    kev = {line.name: line.energy_kev for line in labelled_lines(symbol, 0.0, 60.0)}
    found = []
    for low, high in (("Lα", "Lβ"), ("Lβ", "Lγ")):
        if low in kev and high in kev:
            apart = kev[high] - kev[low]
            if apart > _APART_FWHM * float(detector.fwhm_kev(kev[high])):
                found.append(0.5 * (kev[high] + kev[low]))
    return found


def _backgrounds(fit: SpectrumFit) -> np.ndarray:
    """The background of the sum times hats over the logarithm of the energy; unit sums."""
    base = np.maximum(fit.solution.background, 0.0)
    # Where the sum shows none, pixels may still have some.
    base = base + 1e-3 * max(base.mean(), 1e-9)
    kev = np.log(np.maximum(fit.shapes.centres_kev, 0.3))
    place = np.interp(kev, (kev[0], kev[-1]), (0.0, N_BACKGROUNDS - 1.0))
    hats = np.maximum(1.0 - np.abs(place - np.arange(N_BACKGROUNDS)[:, None]), 0.0)
    found = hats * base
    found = found[found.sum(axis=1) > 0]
    return found / found.sum(axis=1, keepdims=True)
