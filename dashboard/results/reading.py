"""Regions that come from a file."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import param

from dashboard.latest import LatestOnly
from dashboard.results.regions import RegionResults
from dashboard.session.regions import LONGEST_NAME, MOST_REGIONS
from dashboard.shown import capital
from xrfengine.errors import XRFError
from xrfengine.jobs import CancelToken, Progress
from xrfengine.region_outlines import from_geojson
from xrfengine.regions import Region

MOST_BYTES = 8_000_000
"""Of a file with regions; what the page sends at once must stay below 20 MB."""


class ReadResults(RegionResults):
    """Reads regions and keeps them beside those that are there."""

    regions_read = param.Tuple(
        ("", ""), doc="What came of the last file, and whether it is a problem: 'problem' or ''."
    )

    def __init__(self, *args, **params) -> None:
        super().__init__(*args, **params)
        self._region_file = LatestOnly(self.deliver)

    @property
    def _all(self) -> tuple[LatestOnly, ...]:
        return (*super()._all, self._region_file)

    def read_regions(self, text: str | None, file: str) -> None:
        """Keep the polygons of a GeoJSON file as regions, all of them or none.

        ``text`` is None where the file was too large to be sent.
        """
        if self.opened is None:
            return
        shape_yx, size_mm = self.opened.cube.shape[:2], self.pixel_size_mm

        def work(*, progress: Progress, cancel: CancelToken) -> tuple[Region, ...]:
            return from_geojson(_parsed(text, file), shape_yx, pixel_size_mm=size_mm)

        self.regions_read = ("", "")
        self._region_file.start(work, then=self._keep_read, failed=self._not_read)

    def _keep_read(self, found: tuple[Region, ...]) -> None:
        kept = self.session.regions
        if len(kept) + len(found) > MOST_REGIONS:
            self._not_read(
                XRFError(
                    f"The file holds {len(found)} regions, and {len(kept)} are there",
                    f"At most {MOST_REGIONS} can be kept: delete some in the list at the left.",
                )
            )
            return
        for region in found:
            taken = {each.colour.upper() for each in kept}
            colour = region.colour if region.colour.upper() not in taken else self._free(taken)
            name = region.name[:LONGEST_NAME]
            kept = (*kept, replace(region, id=secrets.token_hex(4), name=name, colour=colour))
        self.session.regions = kept
        told = "1 region was read" if len(found) == 1 else f"{len(found)} regions were read"
        self.regions_read = (f"{told}; they are in the list at the left.", "")

    def _not_read(self, error: XRFError) -> None:
        self.regions_read = (f"{capital(error.message)}. {error.hint}", "problem")


def _parsed(text: str | None, file: str) -> object:
    """What JSON holds; XRFError, in words, for anything else."""
    if text is None or len(text) > MOST_BYTES:
        raise XRFError(
            f"the file {file} is too large",
            f"At most {MOST_BYTES // 1_000_000} MB are read.",
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise XRFError(
            f"the file {file} is no GeoJSON",
            "Choose a .geojson file that was saved here or by another program.",
        ) from None
