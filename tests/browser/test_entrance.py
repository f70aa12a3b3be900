"""The page's HTML is sent at once, to everybody with a session of their own."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest
from bokeh.util.token import get_session_id, get_token_payload

pytestmark = pytest.mark.browser


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.read().decode()


def token_of(page: str) -> str:
    (token,) = re.findall(r'"token":"([^"]+)"', page)
    return token


def test_everybody_gets_the_same_page_with_a_session_of_their_own(address):
    first, second = ask(f"{address}?element=Fe"), ask(f"{address}?element=Pb&scale=log")
    tokens = token_of(first), token_of(second)
    assert get_session_id(tokens[0]) != get_session_id(tokens[1])
    assert get_token_payload(tokens[1])["arguments"] == {"element": [b"Pb"], "scale": [b"log"]}
    assert first.replace(tokens[0], "") == second.replace(tokens[1], "")


def test_themes_differ(address):
    light, dark = ask(address), ask(f"{address}?theme=dark")
    assert "theme/dark.css" in dark
    assert "theme/dark.css" not in light
    assert "theme/dark.css" in ask(f"{address}?theme=dark")
    assert "theme/dark.css" not in ask(f"{address}?theme=neither")


def test_whoever_asks_for_a_session_is_told_that_there_is_none(address):
    ask(address)
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(f"{address}?bokeh-session-id=one&bokeh-token=another")
    refused.value.close()
    assert refused.value.code == 403


def test_visitors_see_what_their_own_address_asks_for(visit, other_visit, address):
    for who, element in ((visit, "Fe"), (other_visit, "Pb")):
        who.open(f"{address}?element={element}")
        who.wait_for_map()
        assert f"element={element}" in who.page.url
        assert who.page.locator(".xrf-map").get_by_text(element).first.is_visible()
