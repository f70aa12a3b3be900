"""PyMca's fast linear fit with all elements offered.

The configuration is what a user would write who knows the instrument but not the sample: energies
and resolution, K, L and M lines of every element below the end of the spectrum, escape peaks,
PyMca's own background (SNIP), Poisson weights, negative areas refitted. Score: fitted area over
its standard deviation, of the element's strongest family.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from xrfengine.classifier.evaluate import Verdict
from xrfengine.classifier.fit import guess_setup
from xrfengine.classifier.fit_shapes import Setup
from xrfengine.cube import Spectrum
from xrfengine.lines import ELEMENTS, edge_energy_kev, line_groups

CUT = 3.0

_LOWEST_KEV = 0.9
_FEWEST_CHANNELS = 16


def pymca_fit(spectrum: Spectrum) -> Mapping[str, Verdict]:
    """Verdicts on one spectrum; present from 3 standard deviations."""
    from PyMca5.PyMcaPhysics.xrf import FastXRFLinearFit

    setup = guess_setup(spectrum)
    logging.getLogger("PyMca5").setLevel(logging.ERROR)
    x = np.arange(spectrum.counts.size, dtype=np.float64)
    y = np.asarray(spectrum.counts, dtype=np.float64)[None, None]
    fitter = FastXRFLinearFit.FastXRFLinearFit()
    with contextlib.redirect_stdout(io.StringIO()):
        fitter.setFitConfiguration(configuration_of(setup, spectrum.counts.size))
        result = fitter.fitMultipleSpectra(x=x, y=y, weight=1, refit=True, save=False)
    areas = np.asarray(result["parameters"])[:, 0, 0]
    errors = np.asarray(result["uncertainties"])[:, 0, 0]
    z = dict.fromkeys(_offered(setup), 0.0)
    for label, area, error in zip(result.labels("parameters"), areas, errors, strict=True):
        element = str(label).replace("_", " ").split()[0]
        if element in z and error > 0 and np.isfinite(area):
            z[element] = max(z[element], float(area / error))
    return {element: Verdict(value, value >= CUT) for element, value in z.items()}


def _offered(setup: Setup) -> dict[str, list[str]]:
    """Element → families whose edge the beam reaches and whose main line is in range."""
    low = max(float(setup.calibration.at(setup.first_channel)), _LOWEST_KEV)
    high = float(setup.calibration.at(min(setup.last_channel, setup.n_channels - 1)))
    found: dict[str, list[str]] = {}
    for element in ELEMENTS:
        families = [
            group.family
            for group in line_groups(element, setup.end_kev)
            if group.strength > 0
            and low < group.lines[0].energy_kev < high
            and edge_energy_kev(element, {"K": "K", "L": "L3", "M": "M5"}[group.family])
            < 0.95 * setup.end_kev
        ]
        if families:
            found[element] = families
    return found


def configuration_of(setup: Setup, n_channels: int) -> Any:
    """PyMca's configuration for an instrument."""
    from PyMca5 import getDataFile
    from PyMca5.PyMcaIO import ConfigDict

    configuration = ConfigDict.ConfigDict()
    configuration.read(getDataFile("McaTheory.cfg"))
    gain = setup.calibration.gain_kev
    first = max(setup.first_channel, int(setup.calibration.channel(_LOWEST_KEV)), 0)
    last = min(setup.last_channel, n_channels) - 1
    width = float(setup.detector.fwhm_kev(6.0)) / gain
    fano = 0.115
    noise2 = setup.detector.fwhm_mn_kev**2 - 2.3548**2 * 0.00365 * fano * 5.9
    configuration["peaks"] = _offered(setup)
    configuration["detector"].update(
        zero=setup.calibration.offset_kev,
        gain=gain,
        noise=float(np.sqrt(max(noise2, 0.03**2))),
        fano=fano,
        fixedzero=1,
        fixedgain=1,
        fixednoise=1,
        fixedfano=1,
        fixedsum=1,
    )
    configuration["fit"].update(
        xmin=first,
        xmax=max(last, first + _FEWEST_CHANNELS),
        linearfitflag=1,
        stripflag=1,
        stripalgorithm=1,
        snipwidth=max(round(1.5 * width), 4),
        stripfilterwidth=max(round(width / 4), 1),
        stripanchorsflag=0,
        hypermetflag=1,
        escapeflag=1,
        sumflag=0,
        scatterflag=0,
        continuum=0,
        fitweight=1,
        fitfunction=0,
        use_limit=1,
        energy=[setup.end_kev],
        energyweight=[1.0],
        energyflag=[1],
        energyscatter=[0],
    )
    return configuration
