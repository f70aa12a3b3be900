"""What panes show, as plain values."""

import numpy as np

from dashboard.shown import sample_first
from xrfengine import ElementMaps
from xrfengine.findings import Found, most_telling, tells_less

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
FOUND = (Found("Rh", 1.0, 1.0, True), Found("Pb", 1.0, 0.99), Found("Ar", 0.5, 1.0, True))
FOUND = (*FOUND, Found("Hg", 0.4, 0.98))


def test_lines_of_tube_and_air_come_last():
    assert [item.element for item in sample_first(FOUND)] == ["Pb", "Hg", "Rh", "Ar"]


def test_the_first_element_shown_has_a_picture_to_show():
    assert most_telling(MAPS, FOUND) == "Hg"
    assert most_telling(MAPS, FOUND[:2]) == "Pb"
    borderline = (*FOUND, Found("Sb", 0.49, 0.8))
    assert most_telling(MAPS, borderline) == "Hg"
    assert most_telling(MAPS, borderline[-1:]) == "Sb"
    assert most_telling(MAPS, ()) == "Pb"


def test_an_element_of_few_pixels_tells_far_less_than_one_of_half_the_area():
    found = (Found("Hg", 0.5, 1.0), Found("Cu", 0.7, 1.0), Found("Sb", 0.045, 1.0))
    assert tells_less("Sb", "Hg", found)
    assert tells_less("Zn", "Hg", found), "not found any more"
    assert not tells_less("Cu", "Hg", found)
    assert not tells_less("Hg", "Hg", found)
