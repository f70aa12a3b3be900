"""UMAP: a place in the plane for every pixel, near pixels of a like spectrum.

The computation is in :mod:`xrfengine.cluster.layout` and runs in a worker process, so that it
can be cancelled at once and leaves the calling process responsive.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from xrfengine.cluster.process import run_task
from xrfengine.errors import SettingsError
from xrfengine.jobs import NEVER, CancelToken, Progress, no_progress

_WIDER = 3
_SHARE_EPOCHS = 200


@dataclass(frozen=True)
class EmbeddingSettings:
    """Settings of UMAP (McInnes, Healy, Melville, arXiv:1802.03426).

    Attributes
    ----------
    n_neighbors : int
        Neighbours whose distances are kept; the thesis takes 30. Where a share of the pixels
        is learned from, up to three times as many, but at most a sixtieth of the share.
    min_dist : float
        Least distance of points in the plane, 0 to below 1: 0 packs clusters tightly.
    n_components : int
        2 is what is shown; the thesis clustered 1.
    n_epochs : int
        Rounds of the layout; 0 chooses by the number of pixels as UMAP does, and 200 for a
        share.
    max_fit : int
        With more distinct pixels than this, UMAP learns from so many of them, and the rest are
        placed among them; 0 never does that, 100 is the least.
    seed : int
        The same seed gives the same embedding.
    """

    n_neighbors: int = 30
    min_dist: float = 0.0
    n_components: int = 2
    n_epochs: int = 0
    max_fit: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_neighbors < 2:
            raise SettingsError(f"n_neighbors is {self.n_neighbors}", "It must be 2 or more.")
        if not 0.0 <= self.min_dist < 1.0:
            raise SettingsError(
                f"min_dist is {self.min_dist:g}", "It must be 0 or more and below 1."
            )
        if not 1 <= self.n_components <= 16:
            raise SettingsError(
                f"n_components is {self.n_components}", "It must be between 1 and 16."
            )
        if 0 < self.max_fit < 100:
            raise SettingsError(f"max_fit is {self.max_fit}", "It must be 0, or 100 or more.")
        for name in ("n_epochs", "max_fit", "seed"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} is {getattr(self, name)}", "It must be 0 or more.")

    def for_a_share(self, n: int) -> EmbeddingSettings:
        """Settings with which ``n`` pixels are learned from that stand for more.

        A pixel there is compared with up to three times ``n_neighbors`` others, so long as they
        are no more than a sixtieth of the share (the thesis's smallest cluster is a
        seventieth). Paints that pass into each other then hold together, where few neighbours
        tear them at random into clusters; the share is small, so that it costs little.
        """
        wide = min(_WIDER * self.n_neighbors, n // 60)
        return dataclasses.replace(
            self,
            n_neighbors=max(self.n_neighbors, wide),
            n_epochs=self.n_epochs or _SHARE_EPOCHS,
        )

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EmbeddingSettings:
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Embedding:
    """Where UMAP put every pixel.

    Attributes
    ----------
    coordinates : ndarray, float32, shape (n, n_components)
        Pixels row by row of the image. Distances mean something only between neighbours.
    n_fitted : int
        Pixels UMAP learned from; the others were placed among them.
    """

    coordinates: np.ndarray
    n_fitted: int

    def __post_init__(self) -> None:
        view = self.coordinates.view()
        view.flags.writeable = False
        object.__setattr__(self, "coordinates", view)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return {"coordinates": self.coordinates}, {"n_fitted": self.n_fitted}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Embedding:
        return cls(arrays["coordinates"], int(meta["n_fitted"]))


def embed(
    features: np.ndarray,
    settings: EmbeddingSettings | None = None,
    *,
    progress: Progress = no_progress,
    cancel: CancelToken = NEVER,
) -> Embedding:
    """Embed every row of ``features``.

    Parameters
    ----------
    features : ndarray, shape (n, d)
        One row a pixel, finite, as :func:`~xrfengine.cluster.features.spectra_features` makes
        them. Not modified.
    settings : EmbeddingSettings, optional

    Raises
    ------
    SettingsError
        If the features are empty or hold values that are no numbers.
    XRFError
        If memory ran out.
    Cancelled
        At most a tenth of a second after ``cancel`` was set.
    """
    settings = settings or EmbeddingSettings()
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or 0 in features.shape:
        raise SettingsError(f"an embedding needs features of shape (n, d), got {features.shape}")
    if not np.isfinite(features).all():
        raise SettingsError(
            "some features are no numbers", "Check the cube for values that are not finite."
        )
    arrays, meta = run_task(
        "embed", {"features": features}, settings.to_dict(), progress=progress, cancel=cancel
    )
    return Embedding.from_arrays(arrays, meta)


def warm_up(*, progress: Progress = no_progress, cancel: CancelToken = NEVER) -> None:
    """Start the worker process and compile what it needs; call it in the background."""
    run_task("warm", {}, progress=progress, cancel=cancel)
