"""Fits of every pixel against what is known: simulated net counts, and PyMca."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import xrfengine
from xrfengine.classifier.fit import guess_setup, refine_setup
from xrfengine.classifier.fit_basis import basis_of
from xrfengine.cube import Calibration, Cube, Instrument, Spectrum
from xrfengine.detector import Detector, render_groups
from xrfengine.errors import SettingsError
from xrfengine.lines import line_groups
from xrfengine.maps.fit import fit_maps

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


# ---- the basis


CALIBRATION = Calibration(0.01, 0.02, fwhm_mn_kev=0.14)
TRUE = {"Ca": 4000.0, "Fe": 9000.0, "Cu": 2500.0, "Pb": 12_000.0}


def simulated(shape=(12, 15), seed=0):
    """A cube of known net counts: K lines of Ca, Fe, Cu, L and M of Pb, over a background."""
    n = 1200
    edges = CALIBRATION.edges_kev(n)
    detector = Detector.sdd(0.14)
    rate = 3.0 + 25.0 * np.exp(-0.5 * ((CALIBRATION.energy_kev(n) - 9.0) / 5.0) ** 2)
    for element, counts in TRUE.items():
        family = "L" if element == "Pb" else "K"
        (group,) = (one for one in line_groups(element, 40.0) if one.family == family)
        energy = np.array([line.energy_kev for line in group.lines])
        weight = np.array([line.weight for line in group.lines]) * detector.efficiency(energy)
        lines = render_groups([(energy, weight)], edges, detector)[0]
        rate = rate + counts * lines / lines.sum()
    counts = np.random.default_rng(seed).poisson(rate, (*shape, n)).astype("uint16")
    return Cube(counts, CALIBRATION, instrument=Instrument("Rh", 40.0))


@pytest.fixture(scope="module")
def known():
    cube = simulated()
    return cube, basis_of(cube.sum_spectrum, ["Ca", "Fe", "Cu", "Pb", "Zn"])


def test_the_basis_has_families_scatter_and_background(known):
    _, basis = known
    assert {"Ca K", "Fe K", "Cu K", "Zn K", "Pb L"} <= set(basis.names)
    assert set(basis.main) >= {"Ca K", "Fe K", "Pb L"}
    assert basis.kinds.count("background") >= 4
    np.testing.assert_allclose(basis.shapes.sum(axis=1), 1.0, rtol=1e-6)
    fe = basis.shapes[basis.names.index("Fe K")]
    kev = CALIBRATION.energy_kev(1200)[basis.starts]
    assert kev[fe.argmax()] == pytest.approx(6.38, abs=0.09)
    escape = fe[(kev > 4.45) & (kev < 4.85)].sum()
    assert 0.001 < escape < 0.01  # silicon: 6.40 − 1.74 keV


@pytest.mark.parametrize("weights", ["shared", "pixel"])
def test_known_counts_are_found(known, weights):
    cube, basis = known
    maps = fit_maps(cube, basis, weights)
    for name, true in (("Ca K", 4000.0), ("Fe K", 9000.0), ("Cu K", 2500.0), ("Pb L", 12_000.0)):
        counts, errors = maps[name]
        assert counts.mean() == pytest.approx(true, rel=0.03), name
        assert counts.std() == pytest.approx(errors.mean(), rel=0.25), name
    assert maps["Zn K"][0].mean() < 2 * maps["Zn K"][1].mean()
    assert 0.8 < np.median(maps.chi2) < 1.3


def test_a_basis_of_nothing_is_refused(known):
    cube, _ = known
    with pytest.raises(SettingsError, match="Xx"):
        basis_of(cube.sum_spectrum, ["Fe", "Xx"])
    with pytest.raises(SettingsError, match="no counts"):
        basis_of(Spectrum(np.zeros(1200), CALIBRATION))


# ---- PyMca


def benchmark_module():
    spec = importlib.util.spec_from_file_location("bench_fit", ROOT / "benchmarks" / "fit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the measured data are not here")


def steel():
    text = (SHARED / "formats" / "pymca" / "Steel.spe").read_text()
    counts = np.array(text.split("$DATA:")[1].split("$")[0].split()[2:], dtype=np.float64)
    calibration = Calibration(-0.00612446976449, 0.0119281593146)  # of Steel.cfg
    return Cube(counts[None, None, :2048].astype("uint32"), calibration, "steel")


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weights", ["shared", "pixel"])
def test_net_counts_of_steel_are_those_of_pymca(weights):
    pytest.importorskip("PyMca5", reason="PyMca5 is not installed")
    from PyMca5.PyMcaIO.ConfigDict import ConfigDict
    from PyMca5.PyMcaPhysics.xrf.ClassMcaTheory import McaTheory

    cube = steel()
    config = ConfigDict()
    config.read(str(SHARED / "formats" / "pymca" / "Steel.cfg"))
    theory = McaTheory()
    theory.setConfiguration(config)
    counts = cube.counts[0, 0].astype(float)
    theory.setData(x=np.arange(2048.0), y=counts, xmin=200, xmax=1432)
    theory.estimate()
    _, theirs = theory.startFit(digest=1)
    # The monochromatic beam and the range of the .cfg.
    elements = ("V", "Cr", "Mn", "Fe", "Ni", "Cu", "As", "W", "Pb")
    total = cube.sum_spectrum
    setup = replace(guess_setup(total), excitation="mono", end_kev=16.0, last_channel=1432)
    basis = basis_of(total, elements, setup=refine_setup(total, elements, setup=setup))
    ours = fit_maps(cube, basis, weights)
    for name, groups in (
        ("Cr K", ["Cr K"]),
        ("Fe K", ["Fe Ka", "Fe Kb"]),
        ("Ni K", ["Ni K"]),
        ("Cu K", ["Cu K"]),
    ):
        counts, error = (float(values[0, 0]) for values in ours[name])
        expected = sum(theirs[group]["fitarea"] for group in groups)
        assert abs(counts - expected) <= max(3 * error, 0.03 * expected), name


@needs_data
@pytest.mark.filterwarnings("ignore")
def test_net_counts_of_the_painting_are_those_of_pymca():
    pytest.importorskip("PyMca5", reason="PyMca5 is not installed")
    bench = benchmark_module()
    cube = xrfengine.read(SHARED / "cubes" / "vinca_aurora_prova1_10264.h5")
    setup, _ = bench.find_setup(cube.sum_spectrum, "Ag")
    elements = ["Pb", "Ca", "Fe", "Cu", "Zn", "Hg", "Ti", "S", "K", "Sr", "Ni", "Cr", "Mn", "Ba"]
    basis = basis_of(cube.sum_spectrum, elements, setup=setup)
    ours = fit_maps(cube, basis, "shared")
    few = Cube(cube.counts[::12], cube.calibration)
    names, theirs = bench.pymca_maps(few, bench.pymca_configuration(basis, setup), 1)
    for name in ("Ti K", "Fe K", "Cu K"):
        counts, errors = (values[::12] for values in ours[name])
        expected = theirs[names.index(name)]
        allowed = np.maximum(3 * errors, 0.03 * expected)
        assert (np.abs(counts - expected) <= allowed).mean() > 0.85, name
    # docs/fit_maps.md: why calcium, on PyMca's SNIP background and without tails, has less.
    calcium = ours["Ca K"][0][::12].mean() / theirs[names.index("Ca K")].mean()
    assert 1.0 < calcium < 1.12
    assert np.median(ours.chi2) < 1.3
