"""What axe-core finds on the page: names, roles, contrast; in both themes."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("query", ["", "?theme=dark", "?open=help", "?theme=dark&open=help"])
def test_axe_finds_nothing_serious(visit, address, query):
    from axe_playwright_python.sync_playwright import Axe

    visit.open(address + query)
    visit.wait_for_map()
    visit.wait_for(lambda: visit.page.locator(".xrf-clusters").get_by_role("option").count() >= 3)
    found = Axe().run(visit.page).response["violations"]
    told = [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not told, "\n".join(told)
