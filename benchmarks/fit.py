"""Full-spectrum fit maps against PyMca's FastXRFLinearFit, in one run and on the same pixels.

    python benchmarks/fit.py [--rows 64] [--peer-rows 8] [--threads 2] [--memory] [--json OUT.json]

Thirty elements on rows of a phantom of the thesis's width (348 × 4096 channels), both kinds of
weights; then the cost against the number of pixels (¼, ½, 1, 2 × the rows), and with ``--memory``
the peak above the cube's own size in a fresh process. PyMca gets the same families of lines, the
range of channels, the calibration and resolution, the scatter of the anode and its own SNIP
background; its individual weights are slow, so they run on ``--peer-rows`` rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xrfengine.classifier.anode import find_setup
from xrfengine.classifier.fit_basis import basis_of
from xrfengine.classifier.fit_shapes import SHIFT_KNOTS_KEV, Setup
from xrfengine.cube import Calibration, Cube, Instrument
from xrfengine.detector import FWHM_PER_SIGMA, MN_KA_KEV
from xrfengine.lines import ELEMENTS
from xrfengine.maps.fit import FitMaps, fit_maps
from xrfengine.maps.fit_basis import FitBasis
from xrfengine.phantom import PhantomSettings, make_phantom

WIDTH, CHANNELS = 348, 4096
N_ELEMENTS = 30
ANODE_KEV = {"Rh": (20.17, 22.72, 2.70), "Ag": (22.10, 24.94, 2.98)}
"""Lines of a tube that are seen scattered: Kα, Kβ, Lα."""

ISOLATED = ("Ca K", "Mn K", "Fe K", "Cu K")
"""Bright in the painting, nothing else of it within a peak width of the main line."""


def thirty(cube_elements: list[str]) -> list[str]:
    """The elements in the painting, and others that are looked for in vain."""
    others = [e for e in ("V", "Br", "Rb", "Y", "Zr", "Mo", "Sb", "Cl", "Mg") if e in ELEMENTS]
    return list(dict.fromkeys([*cube_elements, "Ar", *others]))[:N_ELEMENTS]


def seconds_of(compute: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """Result, least wall seconds, least processor seconds."""
    walls, busies, result = [], [], None
    for _ in range(repeats):
        wall, busy = time.perf_counter(), time.process_time()
        result = compute()
        walls.append(time.perf_counter() - wall)
        busies.append(time.process_time() - busy)
    return result, min(walls), min(busies)


def straight(setup: Setup) -> tuple[float, float]:
    """Energy of channel 0 and width of a channel, keV: the line nearest to the refined energies."""
    channels = np.arange(setup.n_channels, dtype=float)
    stated = setup.calibration.at(channels)
    inside = (stated > 2.0) & (stated < 20.0)
    true = stated + np.interp(stated, SHIFT_KNOTS_KEV, setup.shifts_kev)
    gain, zero = np.polyfit(channels[inside], true[inside], 1)
    return float(zero), float(gain)


def pymca_configuration(basis: FitBasis, setup: Setup) -> dict[str, Any]:
    """What PyMca needs to fit the same: families, range, response, scatter, SNIP."""
    from PyMca5.PyMcaPhysics.xrf import ClassMcaTheory

    config = ClassMcaTheory.McaTheory().getConfiguration()
    peaks: dict[str, list[str]] = {}
    for name, kind in zip(basis.names, basis.kinds, strict=True):
        if kind == "lines":
            peaks.setdefault(name.split()[0], []).append(name.split()[1])
    config["peaks"] = peaks
    fwhm = setup.detector.fwhm_mn_kev
    zero, gain = straight(setup)
    fano_kev = FWHM_PER_SIGMA**2 * 0.00385 * 0.114 * MN_KA_KEV
    config["detector"].update(
        zero=zero,
        gain=gain,
        fano=0.114,
        noise=float(np.sqrt(max(fwhm**2 - fano_kev, 0.03**2))),
        sum=0.0,
    )
    scattered = ANODE_KEV.get(setup.anode or "", ())
    n = 1 + len(scattered)
    # Several excitation energies need a sample; chalk, 0.1 mm, tube and detector at 45°.
    config["attenuators"]["Matrix"] = [1, "Ca1C1O3", 2.7, 0.01, 45.0, 45.0, 0, 90.0]
    config["fit"].update(
        xmin=int(basis.starts[0]),
        xmax=int(basis.stop - 1),
        stripflag=1,
        stripalgorithm=1,
        snipwidth=int(3 * fwhm / gain),
        continuum=0,
        linearfitflag=1,
        sumflag=0,
        escapeflag=1,
        scatterflag=int(n > 1),
        fitweight=1,
        energy=[0.7 * setup.end_kev, *scattered],
        energyweight=[1.0] * n,
        energyflag=[1] * n,
        energyscatter=[0] + [1] * (n - 1),
    )
    return config


def pymca_maps(cube: Cube, config: dict[str, Any], weight: int) -> tuple[list[str], np.ndarray]:
    """Names and amounts (parameter, y, x) of FastXRFLinearFit; 1: shared weights, 2: a pixel's."""
    from PyMca5.PyMcaPhysics.xrf.FastXRFLinearFit import FastXRFLinearFit

    fit = FastXRFLinearFit()
    fit.setFitConfiguration(config)
    found = fit.fitMultipleSpectra(
        x=np.arange(cube.shape[2], dtype=float),
        y=cube.counts,
        weight=weight,
        refit=True,
        save=False,
    )
    names = [str(name) for name in found.labels("parameters")]
    return names, np.asarray(found["parameters"])


def agreement(ours: FitMaps, names: list[str], theirs: np.ndarray) -> list[dict[str, Any]]:
    """Isolated lines: means over the pixels, and pixels within 3 standard errors or 3 %."""
    rows = []
    for name in ISOLATED:
        if name not in ours.names or name not in names:
            continue
        counts, errors = ours[name]
        other = theirs[names.index(name)]
        allowed = np.maximum(3 * errors, 0.03 * np.abs(other))
        rows.append(
            {
                "line": name,
                "ours": float(counts.mean()),
                "pymca": float(other.mean()),
                "within": float((np.abs(counts - other) <= allowed).mean()),
            }
        )
    return rows


def part_of(cube: Cube, rows: int) -> Cube:
    return Cube(cube.counts[:rows], cube.calibration, cube.name, None, cube.instrument)


def doubled(cube: Cube) -> Cube:
    return Cube(
        np.concatenate([cube.counts, cube.counts]),
        cube.calibration,
        cube.name,
        None,
        cube.instrument,
    )


def scaling(cube: Cube, basis: FitBasis, weights: str, threads: int, repeats: int) -> float:
    """Slope of the logarithm of the time over that of the pixels, ¼ to 2 × the cube."""
    cubes = [part_of(cube, cube.shape[0] // 4), part_of(cube, cube.shape[0] // 2), cube]
    cubes.append(doubled(cube))
    seconds = []
    for one in cubes:
        _ = one.digest, one.sum_spectrum  # not part of the fit
        _, wall, _ = seconds_of(lambda c=one: fit_maps(c, basis, weights, threads=threads), repeats)
        seconds.append(wall)
    return float(np.polyfit(np.log([c.n_pixels for c in cubes]), np.log(seconds), 1)[0])


def resident_bytes(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process; Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


def memory_child(folder: Path, weights: str, threads: int) -> None:
    """In a fresh process: peak resident memory of a fit above what was there with the cube."""
    with np.load(folder / "basis.npz") as stored:
        arrays = {name: stored[name] for name in ("shapes", "starts")}
        texts = {
            name: tuple(stored[name].tolist()) for name in ("names", "kinds", "elements", "main")
        }
        basis = FitBasis(**texts, **arrays, stop=int(stored["stop"]))
    cube = Cube(np.load(folder / "counts.npy"), Calibration(0.0, 0.01))
    warm = Cube(np.array(cube.counts[:1]), cube.calibration)
    fit_maps(warm, basis, weights, threads=1)  # libraries and compiled code are nobody's cube
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident_bytes("VmRSS")
    fit_maps(cube, basis, weights, threads=threads)
    rise = resident_bytes("VmHWM") - before
    print(json.dumps({"above_cube": rise / cube.counts.nbytes}))


def memory_of(cube: Cube, basis: FitBasis, weights: str, threads: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "counts.npy", cube.counts)
        np.savez(
            folder / "basis.npz",
            **{
                field: np.asarray(getattr(basis, field))
                for field in ("names", "kinds", "elements", "main", "shapes", "starts", "stop")
            },
        )
        command = [sys.executable, __file__, "--child", name, weights, "--threads", str(threads)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(answer)["above_cube"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--peer-rows", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        memory_child(Path(given.child[0]), given.child[1], given.threads)
        return
    phantom = make_phantom(
        PhantomSettings((given.rows, WIDTH), CHANNELS, "sdd"), threads=given.threads
    )
    truth = phantom.truth
    inside = [e for e, v in zip(truth.elements, truth.values, strict=True) if v.max() > 0]
    cube = Cube(
        phantom.cube.counts,
        phantom.cube.calibration,
        "phantom",
        None,
        Instrument(tube_anode="Rh", tube_kv=50.0),
    )
    few = part_of(cube, given.peer_rows)
    elements = thirty(inside)
    setup, _ = find_setup(cube.sum_spectrum)
    basis, basis_s, _ = seconds_of(lambda: basis_of(cube.sum_spectrum, elements, setup=setup), 1)
    fit_maps(few, basis, "pixel", threads=1)  # compiled once a machine
    try:
        config = pymca_configuration(basis, setup)
    except ImportError:
        config = None
        print("PyMca5 is not installed (pip install 'xrfengine[bench]'): ours alone")
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "threads": given.threads,
        "shape": list(cube.shape),
        "counts_per_pixel": float(cube.total_counts.mean()),
        "elements": len(elements),
        "components": basis.n_components,
        "bins": basis.n_bins,
        "basis_s": basis_s,
        "runs": [],
    }
    _ = cube.digest, few.digest
    for weights, code in (("shared", 1), ("pixel", 2)):
        ours, wall, busy = seconds_of(
            lambda w=weights: fit_maps(cube, basis, w, threads=given.threads), given.repeats
        )
        run: dict[str, Any] = {
            "weights": weights,
            "seconds": wall,
            "processor_s": busy,
            "spectra_per_s": cube.n_pixels / wall,
            "median_chi2": float(np.median(ours.chi2)),
            "unsettled": ours.n_unsettled,
        }
        if config is not None:
            peer = cube if code == 1 else few
            (names, theirs), peer_wall, peer_busy = seconds_of(
                lambda p=peer, c=code: pymca_maps(p, config, c), 1
            )
            run["pymca_spectra_per_s"] = peer.n_pixels / peer_wall
            run["ratio"] = run["spectra_per_s"] / run["pymca_spectra_per_s"]
            run["ratio_processor"] = (peer_busy / peer.n_pixels) / (busy / cube.n_pixels)
            same = ours if code == 1 else fit_maps(few, basis, weights, threads=given.threads)
            run["agreement"] = agreement(same, names, theirs)
        run["slope"] = scaling(cube, basis, weights, given.threads, given.repeats)
        if given.memory:
            run["above_cube"] = memory_of(cube, basis, weights, given.threads)
        report["runs"].append(run)
        show(run)
    text = json.dumps(report, indent=1)
    if given.json:
        given.json.write_text(text)
    else:
        print(text)


def show(run: dict[str, Any]) -> None:
    print(
        f"{run['weights']:7s} {run['spectra_per_s']:9,.0f} spectra/s"
        + (
            f"  PyMca {run['pymca_spectra_per_s']:7,.0f}/s  × {run['ratio']:.1f} "
            f"(processor time × {run['ratio_processor']:.1f})"
            if "ratio" in run
            else ""
        )
        + f"  slope {run['slope']:.2f}  median χ² {run['median_chi2']:.2f}"
        + (f"  memory +{run['above_cube']:.2f} × cube" if "above_cube" in run else "")
    )
    for row in run.get("agreement", ()):
        print(
            f"    {row['line']:6s} {row['ours']:9.1f} counts  PyMca {row['pymca']:9.1f}  "
            f"{100 * row['within']:.0f} % of the pixels within 3 errors or 3 %"
        )


if __name__ == "__main__":
    main()
