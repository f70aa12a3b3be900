"""Spectra to train on, made fresh for every step: what was put in, and what of it is visible.

Preset ``physical``: one random instrument a batch (:mod:`instrument`), random samples, Poisson
counts; labels by marginal significance (:mod:`visibility`). Preset ``thesis``: the generator of
the thesis (:mod:`thesis_spectra`), labels by what was put in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from xrfengine.classifier import scatter
from xrfengine.classifier.composition import draw_elements, draw_heights
from xrfengine.classifier.instrument import InstrumentShapes, draw_instrument
from xrfengine.classifier.mixture import mixture_of
from xrfengine.classifier.sample import (
    Parts,
    add_background,
    add_light_elements,
    element_parts,
)
from xrfengine.classifier.thesis_spectra import (
    N_CHANNELS,
    THESIS_ELEMENTS,
    thesis_calibration,
    thesis_spectra,
)
from xrfengine.classifier.visibility import significance, visible_labels
from xrfengine.cube import Calibration
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS

__all__ = ["THESIS_ELEMENTS", "SimulatedBatch", "SimulationSettings", "Simulator"]


@dataclass(frozen=True)
class SimulationSettings:
    """What is simulated; every effect can be switched off.

    Attributes
    ----------
    preset : {"thesis", "physical"}
        ``thesis`` ignores all other settings.
    anodes : tuple of (symbol, share)
    tube_kv : (low, high)
        Tube voltage in kV.
    share_electrons, share_mono, share_gas : float
        Share of batches under electrons, with a monochromatic beam, and (of tubes) with a gas
        detector.
    fwhm_kev : (low, high)
        Resolution of silicon detectors at Mn Kα.
    counts : (low, high)
        Total counts of a spectrum: evenly in the logarithm, nearly half within 500 to 10⁶. Pixels
        of maps have few, sums of scans 10⁸ and more.
    most_elements : int
    decades : float
        Spread of the elements' peak heights.
    offset_sigma_kev, gain_sigma, line_sigma_kev : float
        Standard deviations of the calibration error and of tabulated line energies.
    z_visible, z_absent : float
        Marginal significance from which on an element is visible, up to which it is absent.
    model_uncertainty : float
        Relative, added to the variance of the counts when judging visibility.
    range_kev : (low, high)
        Only lines between these energies make an element visible: what the classifier is shown.
    own_lines : str
        What an element counts as that the instrument itself shows (steel, brass, the detector's
        silicon) and the sample does not: ``absent``, for who learns what is in samples, or
        ``ignored``, for who learns what is in spectra.
    """

    preset: Literal["thesis", "physical"] = "physical"
    anodes: tuple[tuple[str, float], ...] = (
        ("Rh", 4.0), ("Ag", 2.0), ("Mo", 2.0), ("W", 2.0),
        ("Cr", 1.0), ("Cu", 1.0), ("Pd", 1.0), ("Au", 0.5),
    )  # fmt: skip
    tube_kv: tuple[float, float] = (10.0, 50.0)
    share_electrons: float = 0.15
    share_mono: float = 0.07
    share_gas: float = 0.05
    fwhm_kev: tuple[float, float] = (0.12, 0.2)
    counts: tuple[float, float] = (200.0, 3e8)
    most_elements: int = 13
    decades: float = 3.5
    offset_sigma_kev: float = 0.012
    gain_sigma: float = 0.0025
    line_sigma_kev: float = 0.0015
    z_visible: float = 4.0
    z_absent: float = 1.5
    model_uncertainty: float = 0.006
    range_kev: tuple[float, float] = (0.7, 41.0)
    own_lines: Literal["absent", "ignored"] = "absent"
    filters: bool = True
    path: bool = True
    escape: bool = True
    sum_peaks: bool = True
    tail_and_shelf: bool = True
    radiative_auger: bool = True
    scatter: bool = True
    continuum: bool = True
    smooth_backgrounds: bool = True
    zero_peak: bool = True
    bragg: bool = True
    stray: bool = True
    self_absorption: bool = True
    calibration_error: bool = True
    shape_error: bool = True
    cut_ends: bool = True
    poisson: bool = True

    def __post_init__(self) -> None:
        if self.preset not in ("thesis", "physical"):
            raise SettingsError(
                f"there is no simulation preset {self.preset!r}", "Choose thesis or physical."
            )
        if self.own_lines not in ("absent", "ignored"):
            raise SettingsError(
                f"the instrument's own lines cannot be {self.own_lines!r}",
                "Choose absent or ignored.",
            )
        # Lists from JSON become tuples, or the settings could not be hashed.
        object.__setattr__(self, "anodes", tuple((str(a), float(w)) for a, w in self.anodes))
        for name in ("tube_kv", "fwhm_kev", "counts", "range_kev"):
            low, high = (float(v) for v in getattr(self, name))
            if not 0 < low <= high:
                raise SettingsError(
                    f"{name} = {(low, high)}", "Give a low and a high value above 0, in order."
                )
            object.__setattr__(self, name, (low, high))
        for name in ("share_electrons", "share_mono", "share_gas"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} = {getattr(self, name)}", "Give a share of 0…1.")
        if self.share_electrons + self.share_mono > 1:
            raise SettingsError(
                "share_electrons and share_mono exceed 1 together", "Leave a share for tubes."
            )
        if not self.anodes and self.share_electrons + self.share_mono < 1:
            raise SettingsError("no tube anode is given", "Name at least one, such as Rh.")
        if not 0 < self.z_absent <= self.z_visible:
            raise SettingsError(
                f"z_absent = {self.z_absent:g}, z_visible = {self.z_visible:g}",
                "Both must be above 0, and z_absent no higher than z_visible.",
            )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SimulationSettings:
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingsError(
                f"unknown simulation settings: {', '.join(unknown)}",
                "The checkpoint may come from another version.",
            )
        return cls(**values)


@dataclass(frozen=True, eq=False)
class SimulatedBatch:
    """Spectra of one instrument with their truth.

    Attributes
    ----------
    counts : ndarray, float32, shape (n, channel)
        Whole numbers (preset ``thesis``: 0…1).
    calibration : Calibration
        What a user would believe; the calibration error is not in it.
    labels : ndarray, int8, shape (n, element)
        1 visible, 0 absent, −1 neither: left out of the loss.
    n_elements : ndarray of int, shape (n,)
        How many elements were put in.
    """

    counts: np.ndarray
    calibration: Calibration
    labels: np.ndarray
    n_elements: np.ndarray


class Simulator:
    """Source of training batches.

    Parameters
    ----------
    settings : SimulationSettings
    elements : tuple of str
        Columns of the labels. The preset ``physical`` puts in all its 71 elements whatever is
        asked for, as nature does; ``thesis`` only these.
    """

    def __init__(self, settings: SimulationSettings, elements: tuple[str, ...]) -> None:
        known = THESIS_ELEMENTS if settings.preset == "thesis" else ELEMENTS
        wrong = [e for e in elements if e not in ELEMENTS]
        if wrong or not elements:
            raise SettingsError(
                f"cannot simulate {', '.join(wrong) or 'no elements'}",
                f"Choose from {', '.join(known)}.",
            )
        self.settings = settings
        self.elements = tuple(elements)
        self._columns = np.array([ELEMENTS.index(e) for e in self.elements])

    def batch(
        self, n: int, rng: np.random.Generator, n_elements: int | None = None
    ) -> SimulatedBatch:
        """One batch: the same instrument, different samples.

        Parameters
        ----------
        n : int
            Spectra, above 0.
        rng : numpy Generator
            The only source of chance: the same state gives the same batch.
        n_elements : int or None
            Elements put into each spectrum; None draws them.
        """
        if n < 1:
            raise SettingsError(f"a batch of {n} spectra", "Ask for at least one.")
        if n_elements is not None and not 0 <= n_elements <= len(self.elements):
            raise SettingsError(
                f"{n_elements} elements a spectrum",
                f"Ask for 0 to {len(self.elements)}.",
            )
        if self.settings.preset == "thesis":
            return self._thesis(n, rng, n_elements)
        return self.measure(draw_instrument(self.settings, rng), n, rng, n_elements)

    def _thesis(self, n: int, rng: np.random.Generator, n_elements: int | None) -> SimulatedBatch:
        most = min(9, len(self.elements))
        counts = np.full(n, n_elements) if n_elements is not None else rng.integers(1, most + 1, n)
        rank = rng.random((n, len(self.elements))).argsort(axis=1).argsort(axis=1)
        chosen = rank < counts[:, None]
        spectra = thesis_spectra(chosen, self.elements, rng)
        assert spectra.shape[1] == N_CHANNELS
        return SimulatedBatch(spectra, thesis_calibration(), chosen.astype(np.int8), counts)

    def measure(
        self,
        instrument: InstrumentShapes,
        n: int,
        rng: np.random.Generator,
        n_elements: int | None = None,
    ) -> SimulatedBatch:
        """Random samples on a given instrument; parameters as in :meth:`batch`."""
        settings = self.settings
        chosen = draw_elements(
            n,
            ELEMENTS,
            rng,
            n_elements,
            settings.most_elements,
            electrons=instrument.source.kind == "electrons",
        )
        heights = draw_heights(chosen, rng, settings.decades)
        low, high = (np.log10(v) for v in settings.counts)
        log_total = np.where(
            rng.random(n) < 0.45,
            rng.uniform(np.clip(2.7, low, high), np.clip(6.0, low, high), size=n),
            rng.uniform(low, high, size=n),
        )
        return self.expose(instrument, heights, 10**log_total, rng)

    def expose(
        self,
        instrument: InstrumentShapes,
        heights: np.ndarray,
        total_counts: np.ndarray,
        rng: np.random.Generator,
    ) -> SimulatedBatch:
        """Given samples on a given instrument.

        Parameters
        ----------
        instrument : InstrumentShapes
        heights : ndarray, shape (n, 71)
            Relative counts of the strongest line group of each of ``lines.ELEMENTS``, 0 for those
            the sample lacks; 1 is a main component. The argon of the air is added.
        total_counts : ndarray, shape (n,)
            Expected counts of each spectrum.
        rng : numpy Generator
        """
        settings = self.settings
        heights = np.array(heights, dtype=np.float64)
        n = heights.shape[0]
        put_in = (heights > 0).sum(axis=1)
        if instrument.has_air and settings.path:
            heights[:, ELEMENTS.index("Ar")] = 10 ** rng.normal(-2.2, 0.6, size=n)
        chosen = heights > 0
        parts = element_parts(instrument, chosen, heights, settings, rng)
        weights = np.zeros((n, instrument.shapes.shape[0]), dtype=np.float32)
        weights[parts.spectrum, parts.row] = parts.amount
        add_light_elements(instrument, weights, rng)
        add_background(instrument, weights, rng)
        rates = weights @ instrument.shapes
        scale = (total_counts / np.maximum(rates.sum(axis=1), 1e-20)).astype(np.float32)
        rates *= scale[:, None]
        pairs = None
        if instrument.pile_up > 0:
            pairs, single = self._pile_up(instrument, rates, rng)
            scale *= single
            rates = rates * single[:, None] + pairs
        labels = self._labels(instrument, chosen, parts, weights * scale[:, None], scale, pairs)
        if instrument.shape_error is not None:
            rates = instrument.shape_error.applied(rates)
        counts = draw_counts(rates, rng) if settings.poisson else rates
        return SimulatedBatch(counts, instrument.calibration, labels, put_in)

    def _pile_up(
        self, instrument: InstrumentShapes, rates: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts of sum peaks, and the share of events that stay single."""
        share = instrument.pile_up * np.exp(rng.normal(0.0, 0.8, size=rates.shape[0]))
        share = np.minimum(share, 0.04).astype(np.float32)
        calibration = instrument.calibration
        pairs = scatter.pile_up(
            rates, calibration.offset_kev / calibration.gain_kev, share, instrument.unseen_pile_up
        )
        pairs[:, : instrument.fine_start] = 0
        pairs[:, instrument.fine_end :] = 0
        return pairs, 1.0 - 2.0 * share

    def _labels(
        self,
        instrument: InstrumentShapes,
        chosen: np.ndarray,
        parts: Parts,
        scaled: np.ndarray,
        scale: np.ndarray,
        pairs: np.ndarray | None,
    ) -> np.ndarray:
        settings = self.settings
        labels = np.zeros(chosen.shape, dtype=np.int8)
        mixture = mixture_of(instrument, settings.range_kev, parts, scaled, scale, pairs)
        marginal, alone, rival = significance(
            mixture,
            model_uncertainty=settings.model_uncertainty,
            offset_sigma_kev=settings.offset_sigma_kev if settings.calibration_error else 0.0,
            gain_sigma=settings.gain_sigma if settings.calibration_error else 0.0,
        )
        labels[mixture.pair_spectrum, mixture.pair_element] = visible_labels(
            marginal,
            alone,
            rival,
            z_visible=settings.z_visible,
            z_absent=settings.z_absent,
        )
        if instrument.source.anode in ELEMENTS and settings.scatter:
            # Its lines come from the tube: nobody can say whether the sample holds it too.
            labels[:, ELEMENTS.index(instrument.source.anode)] = -1
        if settings.own_lines == "ignored":
            own = [ELEMENTS.index(e) for e in instrument.own_elements if e in ELEMENTS]
            labels[:, own] = np.where(labels[:, own] == 0, np.int8(-1), labels[:, own])
        return labels[:, self._columns]


def draw_counts(rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Poisson counts of expected rates, float32, same shape.

    Above 30 a third-order Cornish-Fisher expansion of the normal (error of the quantiles below
    0.02 counts) takes a tenth of the time of exact drawing.
    """
    noise = rng.standard_normal(rates.shape, dtype=np.float32)
    counts = rates + np.sqrt(rates) * noise + (noise * noise - 1.0) / 6.0
    np.rint(counts, out=counts)
    few = rates < 30.0
    counts[few] = rng.poisson(rates[few])
    return counts
