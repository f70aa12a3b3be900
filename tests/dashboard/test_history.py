"""Undo and redo of a session's choices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.keeping.history import MOST_STEPS, ONE_STEP_S, History
from dashboard.session import Selection, Session


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def held():
    session, clock = Session(element="Fe"), Clock()
    return session, clock, History(session, clock)


def steps(session, clock, *changes):
    for change in changes:
        clock.now += 2 * ONE_STEP_S
        session.param.update(**change)


def test_steps_are_undone_and_redone(held):
    session, clock, history = held
    steps(session, clock, {"threshold": 0.4}, {"element": "Pb"}, {"region_px": 5})
    history.undo()
    assert (session.element, session.region_px) == ("Pb", 1)
    history.undo()
    assert (session.element, session.threshold) == ("Fe", 0.4)
    history.redo()
    assert (session.element, session.threshold) == ("Pb", None)
    steps(session, clock, {"element": "Hg"})
    assert not history.can_redo
    history.undo()
    assert session.element == "Pb"


def test_what_happens_within_a_moment_is_one_step(held):
    session, clock, history = held
    clock.now = 10.0
    session.element = "Pb"
    clock.now += 0.5 * ONE_STEP_S
    session.threshold = 0.3
    history.undo()
    assert (session.element, session.threshold) == ("Fe", None)
    assert not history.can_undo
    history.undo()  # in vain, and harmless
    assert session.element == "Fe"


def test_a_selection_comes_back(held):
    session, clock, history = held
    drawn = Selection("map", ((0, 0), (4, 0), (4, 4)))
    steps(session, clock, {"selection": drawn}, {"cluster": 2}, {"selection": None})
    history.undo()
    assert session.cluster == 2
    history.undo()
    assert session.selection == drawn
    assert session.cluster is None


def test_the_page_opens_with_nothing_to_undo(held):
    session, clock, history = held
    steps(session, clock, {"element": "Pb"})
    history.begin()
    assert not history.can_undo
    history.undo()
    assert session.element == "Pb"


def test_what_the_page_chooses_by_itself_is_no_step(held):
    session, clock, history = held
    with session.by_itself():
        session.element = "Ti"
    assert not history.can_undo
    steps(session, clock, {"element": "Pb"})
    history.undo()
    assert session.element == "Ti"


def test_the_oldest_steps_are_forgotten(held):
    session, clock, history = held
    steps(session, clock, *({"region_px": 1 + n % 100} for n in range(MOST_STEPS + 50)))
    n = 0
    while history.can_undo:
        history.undo()
        n += 1
    assert n == MOST_STEPS


CHANGES = st.one_of(
    st.fixed_dictionaries({"element": st.sampled_from(["Fe", "Pb", "Hg"])}),
    st.fixed_dictionaries({"threshold": st.floats(0, 1)}),
    st.fixed_dictionaries({"method": st.sampled_from(["probability", "roi"])}),
    st.fixed_dictionaries({"cluster": st.integers(0, 3)}),
    st.fixed_dictionaries({"selection": st.just(Selection("map", ((0, 0), (4, 0), (4, 4))))}),
)


@given(st.lists(CHANGES, max_size=12))
def test_undoing_everything_leads_back_and_redoing_forth(changes):
    session, clock = Session(element="Fe"), Clock()
    history = History(session, clock)
    before = session.state()
    steps(session, clock, *changes)
    after = session.state()
    while history.can_undo:
        history.undo()
    assert session.state() == before
    while history.can_redo:
        history.redo()
    assert session.state() == after
