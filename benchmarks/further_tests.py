"""What ``identification.py`` runs beside the labelled spectra, under these names in its JSON.

``injection`` (``injection.py``), ``painting`` (``painting.py``), ``phantom``
(``phantom_truth.py``), ``thesis_test`` (``thesis_test.py``). What lacks its files is left out,
saying so; every part can be run alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import injection
import painting
import phantom_truth
import thesis_test

from xrfengine.classifier.evaluate import Classify
from xrfengine.errors import ModelError, ReadError

QUICK_MOST = 60
"""Injections a method is given in a quick run."""

ON_SUMS: tuple[str, ...] = ("xrfengine", "xrfengine+fit", "PyMca peaks", "greedy")
"""Methods asked for the elements of the painting's four sum spectra."""


def run(
    labels: Path,
    methods: Sequence[str],
    *,
    model: Path | None = None,
    use: str | None = None,
    quick: bool = False,
) -> dict[str, Any]:
    """Run and print every part.

    Parameters
    ----------
    labels : Path
        Table of labels; the painting's cubes are looked for in ``cubes`` beside it.
    methods : sequence of str
        Names in ``benchmarks/peers``.
    use : str or None
        Rows that are injected into: ``tune``, ``check`` or, None, all.
    quick : bool
        Few injections, one region size, one small phantom, few spectra.

    Returns
    -------
    dict
        Name of the part → its result.
    """
    built = injection.chosen_methods(methods, model)
    on_sums = {name: method for name, method in built.items() if name in ON_SUMS}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "injection": lambda: injection.run(
            built, labels, use=use, most=QUICK_MOST if quick else None
        ),
        "painting": lambda: _painting(on_sums, Path(labels).parent / "cubes", model, quick),
        "phantom": lambda: phantom_truth.run(
            model, **({"shape_yx": (30, 40), "seeds": (0,)} if quick else {})
        ),
        "thesis_test": lambda: thesis_test.run(n_spectra=200 if quick else thesis_test.N_SPECTRA),
    }
    tables = {
        "injection": injection.print_table,
        "painting": painting.print_table,
        "phantom": phantom_truth.print_table,
        "thesis_test": thesis_test.print_table,
    }
    found = {}
    for name, part in parts.items():
        print(f"\n## {name}\n", flush=True)
        try:
            found[name] = part()
        except (ModelError, ReadError) as reason:
            print(f"Left out: {reason}", flush=True)
            continue
        tables[name](found[name])
    return found


def _painting(
    methods: Mapping[str, Classify], folder: Path, model: Path | None, quick: bool
) -> dict[str, Any]:
    sides = painting.REGIONS_PX[-1:] if quick else painting.REGIONS_PX
    return painting.run(methods, folder, model=model, regions_px=sides)
