"""An engine whose model is a stand-in: everything else is real. For tests and screenshots.

The stand-in calls an element by the significance of the counts in a window around its main line,
so the whole interface fills with plausible values without any weights.
"""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np

from xrfengine.cube import Calibration, Cube, Instrument
from xrfengine.engine import DatasetInfo, Engine
from xrfengine.errors import ReadError
from xrfengine.jobs import NEVER, no_progress
from xrfengine.lines import ELEMENTS, main_line

PIGMENTS = {"Pb": (10.55, 12.61, 2.35), "Fe": (6.4, 7.06), "Hg": (9.99, 11.82), "Cu": (8.05, 8.9)}


class FakeClassifier:
    """Line windows instead of a network; the attributes of a classifier."""

    elements = ELEMENTS
    digest = "fa4e0000fa4e0000"
    name = preset = "fake"
    device = types.SimpleNamespace(type="cpu")
    chunk = 4096

    def __init__(self) -> None:
        self.thresholds = np.full(len(ELEMENTS), 0.5, np.float32)
        self.thresholds[::7] = 0.62

    def thresholds_at(self, counts):
        return self.thresholds

    def probabilities(self, counts, calibration, *, progress=no_progress, cancel=NEVER):
        cancel.check()
        n_channels = counts.shape[1]
        energy = calibration.energy_kev(n_channels)
        out = np.zeros((len(counts), len(ELEMENTS)), np.float32)
        for i, symbol in enumerate(ELEMENTS):
            line = main_line(symbol, float(energy[0]), float(energy[-1]))
            if line is None:
                continue
            low, high = calibration.channel(line.energy_kev + np.array([-0.08, 0.08]))
            a, b = max(int(low), 4), max(int(high) + 1, int(low) + 2)
            window = counts[:, a:b].sum(1, dtype=np.float64)
            side = 0.5 * (
                counts[:, max(a - (b - a), 0) : a].sum(1, dtype=np.float64)
                + counts[:, b : 2 * b - a].sum(1, dtype=np.float64)
            )
            out[:, i] = 1 / (1 + np.exp(4 - (window - side) / np.sqrt(side + 10)))
        progress(1.0, "classifying")
        return out

    def run(self, spectra, parts, calibration, n_channels, *, half=False, cancel=NEVER):
        for part in parts:
            cancel.check()
            yield part, self.probabilities(spectra(part), calibration)


def small_cube(shape_yx: tuple[int, int] = (24, 32), seed: int = 1) -> Cube:
    """Four pigments in four quarters, Poisson counts; y, x and 512 channels of 40 eV."""
    rng = np.random.default_rng(seed)
    calibration = Calibration(0.0, 0.04)
    energy = calibration.energy_kev(512)
    height, width = shape_yx
    rate = np.full((height, width, 512), 0.02)
    for (symbol, lines), quarter in zip(PIGMENTS.items(), range(4), strict=True):
        part = rate[
            (quarter // 2) * height // 2 : (quarter // 2 + 1) * height // 2,
            (quarter % 2) * width // 2 : (quarter % 2 + 1) * width // 2,
        ]
        for line in lines:
            part += 30 * np.exp(-0.5 * ((energy - line) / 0.07) ** 2) / (1 + (symbol == "Hg"))
    instrument = Instrument(tube_anode="Rh", tube_kv=20.0)
    counts = rng.poisson(rate).astype(np.uint16)
    return Cube(counts, calibration, "small", instrument=instrument)


class FakeEngine(Engine):
    """Two small scans and one broken one, under a stand-in model."""

    def __init__(self, cache: Path) -> None:
        super().__init__(cache=cache)
        self._classifier = FakeClassifier()
        self.cubes = {"quarters": small_cube(), "line": small_cube((1, 40), seed=2)}
        self.device_names = "CPU, pretended"

    @property
    def device_name(self) -> str:
        return self.device_names

    def embedding(self, cube, features, settings, *, progress=no_progress, cancel=NEVER):
        """Two line windows as coordinates: quick, and the four quarters lie apart."""
        from xrfengine.cluster.embedding import Embedding

        cancel.check()
        counts = cube.counts.reshape(cube.n_pixels, -1)
        windows = [counts[:, a:b].sum(1, dtype=np.float64) for a, b in ((240, 275), (150, 180))]
        return Embedding(np.stack(windows, axis=1).astype(np.float32), cube.n_pixels)

    def picture(self, dataset_id: str) -> np.ndarray | None:
        """The total counts of the larger scan as a picture, twice as fine; of the others none."""
        if dataset_id != "quarters":
            return None
        total = self.cubes[dataset_id].total_counts
        grey = np.kron(total / total.max() * 255, np.ones((2, 2))).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    def warm_up(self) -> dict:
        """Nothing to load, and no UMAP to compile."""
        return {}

    def datasets(self) -> tuple[DatasetInfo, ...]:
        ids = (*self.cubes, "broken.h5")
        return tuple(DatasetInfo(i, f"Scan {i}", None) for i in ids)

    def cube(self, dataset_id: str, *, progress=no_progress, cancel=NEVER) -> Cube:
        if dataset_id not in self.cubes:
            raise ReadError(f"{dataset_id} is cut short", "Copy the file again.")
        return self.cubes[dataset_id]
