"""What axe-core finds on the page: names, roles, contrast; in both themes."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

DARK_TOO = ("", "&theme=dark")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?theme=dark&window=6.2-6.6&profile=2,2,30,20&beside=total",
        *(f"?open={act}{theme}" for act in ("help", "table", "maps") for theme in DARK_TOO),
    ],
)
def test_axe_finds_nothing_serious(visit, address, query):
    from axe_playwright_python.sync_playwright import Axe

    visit.open(address + query)
    visit.wait_for_map()
    visit.wait_for(lambda: visit.page.locator(".xrf-clusters .xrf-cluster").count() >= 3)
    found = Axe().run(visit.page).response["violations"]
    told = [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not told, "\n".join(told)
