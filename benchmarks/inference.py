"""Probability maps: our network against the thesis's as the thesis wrote it, in one run.

    python benchmarks/inference.py [CUBE.h5] [--weights PATH] [--seconds 5] [--json OUT.json]

The peer is the thesis's transformer built from ``nn.MultiheadAttention`` (float32, one batch after
another); it gets the same features as our preset ``thesis``. Without a cube, Poisson spectra of
2048 channels stand in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from xrfengine import Calibration, Cube, read
from xrfengine.classifier.checkpoint import untrained
from xrfengine.classifier.predict import Classifier, probability_maps
from xrfengine.preprocess import preprocessor


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


def rate(work: Callable[[int], None], seconds: float, batch: int) -> float:
    """Spectra a second of ``work(batch)``, best of what fits into ``seconds``."""
    work(batch)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work(batch)
        best = min(best, time.perf_counter() - start)
    return batch / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cube", nargs="?", type=Path)
    parser.add_argument("--weights", type=Path, help="default: the shipped ones")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    cube = read(options.cube) if options.cube else stand_in()
    if not isinstance(cube, Cube):
        parser.error(f"{options.cube} holds a single spectrum")
    compact = Classifier.load(options.weights)
    thesis = Classifier(untrained("thesis"), "thesis")
    peer = ThesisNetwork().eval()
    assert sum(p.numel() for p in peer.parameters()) == 106_004

    spectra = cube.counts.reshape(-1, cube.shape[2])
    spectra = np.tile(spectra, (-(-2048 // len(spectra)), 1))[:2048]
    prepare = preprocessor(thesis.preprocess, cube.calibration, cube.shape[2])

    def as_the_thesis(n: int) -> None:
        with torch.inference_mode():
            peer(prepare(spectra[:n]))

    def with_ours(classifier: Classifier) -> Callable[[int], None]:
        def work(n: int) -> None:
            classifier.probabilities(spectra[:n], cube.calibration)

        return work

    found = {
        "thesis, as written": rate(as_the_thesis, options.seconds, 128),
        "thesis, our preset": rate(with_ours(thesis), options.seconds, 256),
        "compact": rate(with_ours(compact), options.seconds, 2048),
    }
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {compact.device}"
    )
    print(f"\n{'network':<22}{'spectra/s':>12}{'ratio':>8}")
    for name, value in found.items():
        print(f"{name:<22}{value:>12.0f}{value / found['thesis, as written']:>8.1f}")

    maps = {}
    print(f"\n{cube.name}: {cube.shape[0]}×{cube.shape[1]}×{cube.shape[2]}")
    print(f"{'maps':<12}{'k':>4}{'seconds':>10}{'spectra/s':>12}")
    _ = cube.digest  # computed once when a cube is opened, no part of a map
    for classifier in (compact, thesis):
        for k in (10, 5, 1):
            start = time.perf_counter()
            probability_maps(cube, classifier, k)
            took = time.perf_counter() - start
            n = -(-cube.shape[0] // k) * -(-cube.shape[1] // k)
            maps[f"{classifier.preset} k={k}"] = {"seconds": took, "spectra": n}
            print(f"{classifier.preset:<12}{k:>4}{took:>10.2f}{n / took:>12.0f}")
    if options.json:
        report = {"spectra_per_second": found, "maps": maps, "threads": torch.get_num_threads()}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def stand_in() -> Cube:
    """Poisson spectra where no cube is given."""
    rng = np.random.default_rng(0)
    mean = 20.0 * np.exp(-np.arange(2048) / 600.0)
    return Cube(
        rng.poisson(mean, (60, 60, 2048)).astype(np.uint16), Calibration(0.0, 0.02), "noise"
    )


if __name__ == "__main__":
    main()
