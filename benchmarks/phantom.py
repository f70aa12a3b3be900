"""Time and memory for a phantom of the thesis's size; run alone: ``python benchmarks/phantom.py``.

Prints one JSON object: wall and processor seconds, and the highest resident memory over the bytes
of the cube.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

from xrfengine.phantom import PhantomSettings, make_phantom


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(";")[0])
    parser.add_argument("--shape", type=int, nargs=2, default=(524, 348), metavar=("Y", "X"))
    parser.add_argument("--channels", type=int, default=4096)
    parser.add_argument("--detector", choices=("sdd", "gem"), default="sdd")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    settings = PhantomSettings(tuple(given.shape), given.channels, given.detector)
    start, busy = time.monotonic(), time.process_time()
    cube = make_phantom(settings, threads=given.threads).cube
    wall, busy = time.monotonic() - start, time.process_time() - busy
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(
        json.dumps(
            {
                "shape": cube.shape,
                "threads": given.threads,
                "wall_s": round(wall, 1),
                "processor_s": round(busy, 1),
                "cube_gib": round(cube.counts.nbytes / 2**30, 3),
                "peak_over_cube": round(peak / cube.counts.nbytes, 3),
                "counts_per_pixel": round(float(cube.total_counts.mean()), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
