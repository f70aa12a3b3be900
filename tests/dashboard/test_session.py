"""The session: thresholds by element, the selection, and what the address carries."""

from __future__ import annotations

import param
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.session import (
    CLUSTER_METHODS,
    COLOUR_BY,
    METHODS,
    SCALES,
    THEMES,
    TOPICS,
    Selection,
    Session,
)


def test_thresholds_are_kept_by_element_and_method():
    session = Session(element="Fe")
    session.threshold = 0.4
    session.element = "Pb"
    assert session.threshold is None
    session.threshold = 0.7
    session.method = "roi"
    assert session.threshold is None
    session.method = "probability"
    assert session.threshold == 0.7
    session.element = "Fe"
    assert session.threshold == 0.4
    assert session.thresholds_of("probability") == {"Fe": 0.4, "Pb": 0.7}
    session.threshold = None
    assert session.thresholds_of("probability") == {"Pb": 0.7}


def test_a_chosen_cluster_is_the_selection_and_back():
    session = Session()
    session.cluster = 2
    assert session.selection == Selection("cluster", cluster=2)
    session.selection = Selection("map", ((0, 0), (4, 0), (4, 4)))
    assert session.cluster is None
    session.cluster = 1
    session.selection = None
    assert session.cluster is None
    session.cluster = 1
    session.cluster = None
    assert session.selection is None


def test_a_fresh_session_leaves_the_address_empty():
    assert Session().query() == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "dataset": st.sampled_from(["demo", "a/b c.h5", "ü&=?.h5"]),
            "element": st.sampled_from(["Fe", "Pb"]),
            "method": st.sampled_from(METHODS),
            "region_px": st.integers(1, 100),
            "scale": st.sampled_from(SCALES),
            "cluster_method": st.sampled_from(CLUSTER_METHODS),
            "min_cluster_size": st.integers(0, 10_000),
            "min_samples": st.integers(1, 100),
            "n_neighbors": st.integers(2, 200),
            "som_rows": st.integers(1, 12),
            "som_columns": st.integers(1, 12),
            "colour_by": st.sampled_from(COLOUR_BY),
            "show_clusters": st.booleans(),
            "theme": st.sampled_from(THEMES),
            "cluster": st.integers(0, 40),
        },
    ),
    st.dictionaries(st.sampled_from(["Fe", "Pb", "Hg"]), st.floats(0, 1e6), max_size=3),
)
def test_the_address_carries_the_session(choices, thresholds):
    first = Session(**choices)
    first.thresholds = {(first.method, symbol): value for symbol, value in thresholds.items()}
    second = Session()
    assert second.restore(first.query()) == []
    for name in choices:
        assert getattr(second, name) == getattr(first, name), name
    assert second.thresholds_of(second.method) == pytest.approx(
        first.thresholds_of(first.method), rel=1e-5
    )
    assert second.query() == first.query()


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"method": "magic"}, "magic"),
        ({"region": "0"}, "region"),
        ({"region": "three"}, "three"),
        ({"neighbours": "9999"}, "9999"),
        ({"threshold": "high", "element": "Fe"}, "high"),
        ({"threshold": "nan", "element": "Fe"}, "nan"),
        ({"threshold": "0.4"}, "0.4"),
        ({"element": "Fx"}, "Fx"),
        ({"theme": "pink"}, "light or dark"),
    ],
)
def test_stale_values_are_told_and_left_out(query, word):
    session = Session()
    notices = session.restore(query)
    assert len(notices) == 1
    assert word in notices[0]
    assert "threshold" not in session.query()
    assert session.method == "probability"
    assert session.region_px == 1


def test_values_out_of_bounds_are_refused():
    with pytest.raises(ValueError, match="region_px"):
        Session(region_px=0)
    assert isinstance(Session.param.selection, param.ClassSelector)


def test_no_two_choices_share_a_word_of_the_address():
    words = [word for topic in TOPICS for word in topic.ADDRESS] + ["dataset", "theme"]
    assert len(words) == len(set(words))
    session = Session(profile=(1.0, 2.0, 3.0, 4.0), profile_width=5, across="Fe")
    again = Session()
    assert again.restore(session.query()) == []
    assert (again.profile_width, again.across) == (5, "Fe")
