"""What panes show, as plain values."""

import numpy as np

from dashboard.shown import Opened, most_telling, sample_first
from xrfengine import Calibration, Cube, ElementMaps, Instrument
from xrfengine.findings import Found

MAPS = ElementMaps(
    ("Pb", "Hg", "Rh", "Ar"),
    np.stack(
        [
            np.full((4, 6), 0.99),
            np.repeat([[0.0, 0.0, 0.0, 0.98, 0.98, 0.98]], 4, axis=0),
            np.full((4, 6), 1.0),
            np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 4, axis=0),
        ]
    ).astype(np.float32),
    "probability",
)
FOUND = (Found("Rh", 1.0, 1.0), Found("Pb", 1.0, 0.99), Found("Ar", 0.5, 1.0))
FOUND = (*FOUND, Found("Hg", 0.4, 0.98))


def test_lines_of_tube_and_air_come_last():
    cube = Cube(np.ones((1, 1, 8)), Calibration(0, 1), instrument=Instrument(tube_anode="Rh"))
    opened = Opened("a", "A", cube, cube.total_counts, cube.sum_spectrum)
    assert set(opened.instrument_elements) == {"Rh", "Ar"}
    ordered = sample_first(FOUND, opened.instrument_elements)
    assert [item.element for item in ordered] == ["Pb", "Hg", "Rh", "Ar"]
    unknown = Cube(np.ones((1, 1, 8)), Calibration(0, 1))
    assert Opened("a", "A", unknown, None, None).instrument_elements == ("Ar",)


def test_the_first_element_shown_has_a_picture_to_show():
    assert most_telling(MAPS, FOUND, ("Ar", "Rh")) == "Hg"
    assert most_telling(MAPS, FOUND[:2], ("Ar", "Rh")) == "Pb"
    borderline = (*FOUND, Found("Sb", 0.49, 0.8))
    assert most_telling(MAPS, borderline, ("Ar", "Rh")) == "Hg"
    assert most_telling(MAPS, borderline[-1:], ("Ar", "Rh")) == "Sb"
    assert most_telling(MAPS, (), ("Ar", "Rh")) == "Pb"
