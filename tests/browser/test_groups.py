"""Clusters by hand and two elements against each other, as a visitor does it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser


def rows(visit):
    return visit.page.locator(".xrf-clusters .xrf-cluster:enabled")


def open_page(visit, address: str) -> None:
    visit.open(address)
    visit.wait_for_map()
    skip = visit.page.get_by_role("button", name="Skip")
    if skip.count():
        skip.click()
    visit.wait_for(lambda: rows(visit).count() >= 3)


def test_a_cluster_is_told_in_words_renamed_merged_and_kept_as_a_region(visit, address):
    open_page(visit, f"{address}?dataset=quarters")
    n = rows(visit).count()
    rows(visit).nth(0).click()
    card = visit.page.locator(".xrf-clusters .xrf-chosen")
    visit.wait_for(lambda: "than elsewhere" in card.inner_text())
    card.get_by_role("button", name="Rename").click()
    field = visit.page.get_by_label("Name of cluster 1")
    field.fill("the blue cloak")
    field.press("Enter")
    visit.wait_for(lambda: "the blue cloak" in rows(visit).nth(0).inner_text())
    card.get_by_role("button", name="To region").click()
    visit.wait_for(lambda: visit.page.locator(".xrf-rail").get_by_text("the blue cloak").count())
    card.get_by_role("button", name="Merge").click()
    rows(visit).nth(1).click()
    visit.wait_for(lambda: rows(visit).count() == n - 1)
    visit.page.locator(".xrf-clusters").get_by_role("button", name="Take apart").click()
    visit.wait_for(lambda: rows(visit).count() == n)
    assert "the blue cloak" in rows(visit).nth(0).inner_text(), "its name is there again"


def test_the_tree_is_cut_by_hand_and_the_list_follows(visit, address):
    open_page(visit, f"{address}?dataset=quarters")
    n = rows(visit).count()
    visit.page.get_by_label("Tree of the clusters").click()
    branches = visit.page.locator(".xrf-tree .xrf-branch")
    visit.wait_for(lambda: branches.count() > n)
    assert visit.page.locator(".xrf-tree .xrf-on").count() == n
    first = branches.first.bounding_box()
    assert first["width"] > 300, "all pixels are side by side"
    branches.first.click()  # the whole scan, at the top, as one cluster
    visit.wait_for(lambda: visit.page.locator(".xrf-tree .xrf-on").count() == 1)
    visit.page.get_by_role("button", name="Split in two").click()
    visit.wait_for(lambda: visit.page.locator(".xrf-tree .xrf-on").count() == 2)
    slider = visit.page.get_by_label("Cut the tree straight through")
    slider.focus()
    slider.press("End")
    slider.press("Home")
    visit.wait_for(lambda: visit.page.locator(".xrf-tree .xrf-on").count() == 1)
    visit.page.keyboard.press("Escape")
    visit.wait_for(lambda: rows(visit).count() == 1)
    visit.page.locator(".xrf-clusters").get_by_role("button", name="Back to automatic").click()
    visit.wait_for(lambda: rows(visit).count() == n)


def test_nodes_of_the_grid_show_spectra_and_select_their_pixels(visit, address):
    open_page(visit, f"{address}?dataset=quarters&clusters=som&rows=2&columns=2")
    visit.page.get_by_label("Grid of the map").click()
    nodes = visit.page.locator(".xrf-som button.xrf-node")
    visit.wait_for(lambda: nodes.count() == 4)
    visit.wait_for(lambda: len(nodes.first.locator("path").get_attribute("d")) > 500)
    nodes.first.click()
    visit.wait_for(lambda: nodes.first.get_attribute("aria-pressed") == "true")
    told = nodes.first.get_attribute("title")  # "Cluster 1, 192 pixels, 25 %: …"
    size = next(part for part in told.split(", ") if part.endswith("pixels"))
    visit.wait_for(
        lambda: visit.layer("xrf-spectrum-figure", "chosen", "layer.data_source.data.rate.length")
    )
    visit.wait_for(lambda: visit.page.locator(".xrf-rail").get_by_text(size).count())


def test_a_lasso_in_the_scatter_of_two_elements_selects_on_the_map(visit, address):
    open_page(visit, f"{address}?dataset=quarters&method=roi&across=Pb&up=Fe&points=elements")
    visit.wait_for(
        lambda: visit.layer("xrf-scatter-figure", "points", "layer.data_source.data.image.length")
    )
    bar = visit.page.locator(".xrf-scatterbar")
    visit.wait_for(lambda: "768 pixels" in bar.inner_text())
    assert "Spearman −" in bar.inner_text()
    # Much Pb and hardly any Fe: the lower right, which is the upper left quarter of the scan.
    visit.drag("xrf-scatter-figure", [(0.5, 0.99), (0.99, 0.99), (0.99, 0.6), (0.5, 0.6)])
    visit.wait_for(
        lambda: visit.layer("xrf-map-figure", "mask", "layer.visible && !!layer.data_source")
    )
    visit.wait_for(
        lambda: visit.layer("xrf-spectrum-figure", "chosen", "layer.data_source.data.rate.length")
    )
    assert visit.page.get_by_text("by Pb and Fe").count() >= 1
    visit.wait_for(lambda: "selection" in bar.inner_text())
    bar.get_by_role("button", name="All pairs").click()
    table = visit.page.get_by_role("region", name="Correlation table")
    visit.wait_for(lambda: table.get_by_role("button", name="Hg and Cu:").count() == 1)
    table.get_by_role("button", name="Hg and Cu:").click()
    visit.wait_for(lambda: bar.locator("[data-key=across]").input_value() == "Hg")
    assert bar.locator("[data-key=up]").input_value() == "Cu"
