"""Probability maps: our network against the thesis's as the thesis wrote it, in one run.

    python benchmarks/inference.py [CUBE.h5] [--rows N] [--quick] [--weights PATH] [--json OUT.json]

Without a cube, a phantom of the thesis's size is made first (524×348 spectra of 4096 channels,
20,000 counts each; about a minute); ``--rows`` takes fewer rows of it, ``--quick`` 24 and no run
of the whole cube.

The peer is the thesis's transformer built from ``nn.MultiheadAttention`` (float32, one batch after
another, binning between the batches); it gets the same features as our preset ``thesis``. It is
timed on a sample of the cube's spectra, in rounds interleaved with ours on samples of the same
cube: at some hundred spectra a second the whole cube would take it half an hour.

Besides: time to the first coarse map, memory above the cube, how time grows with pixels, and the
distance to the limit: the cube read once, and the network's multiply-adds at the rate that large
matrix products reach here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xrfengine import Cube, Engine, read
from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.network import ViTConfig
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.classifier.workers import pool
from xrfengine.jobs import chunks
from xrfengine.preprocess import preprocessor
from xrfengine.store import make_tiles

ROUNDS = 5
SHAPE_YX, N_CHANNELS = (524, 348), 4096
PARTS_OF_CUBE = (0.25, 0.5, 1.0, 2.0)


class ThesisBlock(nn.Module):
    """Pre-norm encoder block with torch's own attention module."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout=0.1, batch_first=True)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(mlp, width),
            nn.Dropout(0.1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_attention(x)
        x = x + self.attention(y, y, y)[0]
        return x + self.mlp(self.norm_mlp(x))


class ThesisNetwork(nn.Module):
    """The thesis's 1-D vision transformer (its 2.2.3 and 3.2): 106,004 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv1d(1, 16, 16, stride=16, bias=False)
        self.position = nn.Parameter(torch.zeros(256, 16))
        self.blocks = nn.Sequential(*(ThesisBlock(16, 8, 64) for _ in range(6)))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(4096, 20)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).transpose(1, 2) + self.position
        return torch.sigmoid(self.head(self.norm(self.blocks(tokens)).flatten(1)))


def as_written(network: nn.Module, prepare: Callable, spectra: np.ndarray) -> None:
    """One batch after another, as the thesis does."""
    with torch.inference_mode():
        for part in chunks(len(spectra), 128):
            network(prepare(spectra[part]))


def ours(classifier: Classifier, cube: Cube, spectra: np.ndarray, half: bool = False) -> None:
    """What a map does: every worker takes batches of its own."""
    size = min(classifier.plan.batch, classifier.chunk)
    for _ in classifier.run(
        spectra.__getitem__,
        list(chunks(len(spectra), size)),
        cube.calibration,
        cube.shape[2],
        half=half,
    ):
        pass


def rates(works: dict[str, tuple[Callable[[], None], int]]) -> dict[str, dict[str, float]]:
    """Spectra a second by wall clock and by processor time; medians of interleaved rounds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, (work, _) in works.items():
            wall, busy = time.perf_counter(), time.process_time()
            work()
            took = time.perf_counter() - wall, time.process_time() - busy
            if turn:
                times[name].append(took)
    return {
        name: {
            "per_s": works[name][1] / statistics.median(wall for wall, _ in each),
            "per_processor_s": works[name][1] / statistics.median(busy for _, busy in each),
        }
        for name, each in times.items()
    }


def resident_bytes(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (peak) of this process; Linux only, else 0."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(row for row in status.read_text().splitlines() if row.startswith(field))
    return int(line.split()[1]) * 1024


def with_memory(work: Callable[[], Any]) -> tuple[float, int]:
    """Seconds of a call, and by how much resident memory rose above what it was before."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # the peak starts anew
    before, started = resident_bytes("VmRSS"), time.perf_counter()
    work()
    return time.perf_counter() - started, resident_bytes("VmHWM") - before


def multiply_adds(classifier: Classifier) -> float:
    """Multiply-adds a spectrum: what torch counts, and the attention, which it does not."""
    from torch.utils.flop_counter import FlopCounterMode

    shape = (1, classifier.preprocess.n_features, classifier.preprocess.n_bins)
    network = classifier.checkpoint.built()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(shape))
    config = classifier.checkpoint.network
    attention = 0.0
    if isinstance(config, ViTConfig):
        attention = 2.0 * config.depth * config.n_tokens**2 * config.width
    return counter.get_total_flops() / 2 + attention


def matrix_rate(workers: int, dtype: torch.dtype) -> float:
    """Multiply-adds a second of 1024×1024 products, each worker with its own."""
    a = torch.rand(1024, 1024).to(dtype)

    def product(_: int) -> None:
        a @ a

    list(pool(workers).map(product, range(workers)))
    started, n = time.perf_counter(), 8 * workers
    list(pool(workers).map(product, range(n)))
    return n * 1024.0**3 / (time.perf_counter() - started)


def first_coarse_maps(cube: Cube, weights: Path | None) -> dict[str, float]:
    """Seconds from asking the engine to having maps, nothing cached, for several k."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(model=weights, cache=Path(folder))
        try:
            _ = cube.digest, engine.classifier.plan  # known since the scan was opened
            started = time.perf_counter()
            engine.maps(cube, region_px=20)
            found["20, tiles made on the way"] = time.perf_counter() - started
            for k in (10, 5, 7):
                started = time.perf_counter()
                engine.maps(cube, region_px=k)
                found[f"{k}, {'from tiles' if k % 5 == 0 else 'one pass'}"] = (
                    time.perf_counter() - started
                )
        finally:
            engine.close()
    return found


def slope(cube: Cube, classifier: Classifier) -> tuple[float, dict[float, float]]:
    """Slope of log time against log pixels, and seconds by share of the cube."""
    seconds = {}
    rows = cube.shape[0]
    for share in PARTS_OF_CUBE:
        counts = cube.counts[: max(1, int(rows * min(share, 1.0)))]
        if share > 1:
            counts = np.concatenate([counts, counts])
        part = Cube(counts, cube.calibration)
        _ = part.digest
        started = time.perf_counter()
        probability_maps(part, classifier, 1)
        seconds[share] = time.perf_counter() - started
    line = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)
    return float(line[0]), seconds


def the_cube(options: argparse.Namespace) -> Cube:
    """The cube asked for, or rows of a phantom of the thesis's width."""
    if options.cube is not None:
        cube = read(options.cube)
        if not isinstance(cube, Cube):
            raise SystemExit(f"{options.cube} holds a single spectrum")
        return Cube(cube.counts[: options.rows], cube.calibration, cube.name)
    from xrfengine.phantom import PhantomSettings, make_phantom

    shape_yx = (options.rows or SHAPE_YX[0], SHAPE_YX[1])
    cube = make_phantom(PhantomSettings(shape_yx, N_CHANNELS)).cube
    return Cube(cube.counts, cube.calibration, "phantom")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cube", nargs="?", type=Path)
    parser.add_argument("--weights", type=Path, help="default: the shipped ones")
    parser.add_argument("--rows", type=int, help="of the cube")
    parser.add_argument("--sample", type=int, default=1024, help="spectra a round")
    parser.add_argument("--quick", action="store_true", help="24 rows, samples alone")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.rows = min(options.rows or 24, 24)
    cube = the_cube(options)
    compact = Classifier.load(options.weights)
    thesis = Classifier(untrained("thesis"), "thesis")
    peer = ThesisNetwork().eval()
    assert sum(p.numel() for p in peer.parameters()) == 106_004
    report: dict[str, Any] = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": str(compact.device),
        "shape": cube.shape,
        "plan": compact.plan.to_dict(),
    }
    print(
        f"{report['machine']}, {report['cores']} cores, {report['threads']} threads, "
        f"torch {torch.__version__}, {compact.device}; {cube.name}: "
        f"{'×'.join(map(str, cube.shape))}; {compact.plan}"
    )

    pixels = cube.counts.reshape(-1, cube.shape[2])
    rng = np.random.default_rng(0)
    spectra = pixels[rng.choice(len(pixels), min(options.sample, len(pixels)), replace=False)]
    few = spectra[: max(1, len(spectra) // 8)]
    prepare = preprocessor(thesis.preprocess, cube.calibration, cube.shape[2])
    report["networks"] = found = rates(
        {
            "thesis, as written": (lambda: as_written(peer, prepare, few), len(few)),
            "thesis, our preset": (lambda: ours(thesis, cube, few), len(few)),
            "compact, float32": (lambda: ours(compact, cube, spectra), len(spectra)),
            "compact, bfloat16": (lambda: ours(compact, cube, spectra, True), len(spectra)),
        }
    )
    base = found["thesis, as written"]
    print(f"\n{'network':<22}{'spectra/s':>12}{'ratio':>8}{'per core-s':>12}{'ratio':>8}")
    for name, each in found.items():
        wall, busy = each["per_s"], each["per_processor_s"]
        print(
            f"{name:<22}{wall:>12.0f}{wall / base['per_s']:>8.1f}"
            f"{busy:>12.0f}{busy / base['per_processor_s']:>8.1f}"
        )

    report["coarse_s"] = coarse = first_coarse_maps(cube, options.weights)
    print("\ncoarse maps, regions' side in pixels")
    for name, seconds in coarse.items():
        print(f"{name:<30}{seconds:>8.2f} s")

    report["limits"] = limits = the_limits(cube, compact)
    best = max(found["compact, float32"]["per_s"], found["compact, bfloat16"]["per_s"])
    print(
        f"\nlimits: reading the cube once {limits['read_s']:.2f} s; "
        f"{limits['multiply_adds'] / 1e6:.1f} million multiply-adds a spectrum at "
        f"{limits['float32_per_s'] / 1e9:.0f} (bfloat16 {limits['bfloat16_per_s'] / 1e9:.0f}) "
        f"thousand million a second: {limits['float32_spectra_per_s']:.0f} "
        f"({limits['bfloat16_spectra_per_s']:.0f}) spectra/s; reached {best:.0f}"
    )

    if not options.quick:
        _ = cube.digest  # computed once when a cube is opened, no part of a map
        seconds, rise = with_memory(lambda: probability_maps(cube, compact, 1))
        _, tiles = with_memory(lambda: make_tiles(cube))
        report["whole"] = {
            "seconds": seconds,
            "per_s": cube.n_pixels / seconds,
            "memory_over_cube": rise / cube.counts.nbytes,
            "tiles_memory_over_cube": tiles / cube.counts.nbytes,
        }
        print(
            f"\nevery pixel: {seconds:.1f} s, {cube.n_pixels / seconds:.0f} spectra/s; memory "
            f"above the cube {rise / cube.counts.nbytes:.2f} ×, of its tiles "
            f"{tiles / cube.counts.nbytes:.2f} ×"
        )
        power, by_share = slope(cube, compact)
        report["slope"] = {"slope": power, "seconds": by_share}
        listed = ", ".join(f"{share:g} ×: {each:.1f} s" for share, each in by_share.items())
        print(f"time against pixels: slope {power:.2f} ({listed})")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def the_limits(cube: Cube, classifier: Classifier) -> dict[str, float]:
    """What memory and processor would allow."""
    flat = cube.counts.reshape(-1)
    words = flat[: flat.size // 8 * 8].view(np.uint64)
    words.max()
    started = time.perf_counter()
    words.max()
    limits = {"read_s": time.perf_counter() - started, "multiply_adds": multiply_adds(classifier)}
    for name in ("float32", "bfloat16"):
        limits[f"{name}_per_s"] = matrix_rate(classifier.plan.workers, getattr(torch, name))
        limits[f"{name}_spectra_per_s"] = limits[f"{name}_per_s"] / limits["multiply_adds"]
    return limits


if __name__ == "__main__":
    main()
