"""The clusters: list with colours, shares and elements; how they are found."""

from __future__ import annotations

import panel as pn

from dashboard.components import Caption, Choice, IconButton, Slider
from dashboard.components.groups import Clusters
from dashboard.frames.pane import body, pane, show_state, state_cover, title_row
from dashboard.plots.pictures import cluster_colour
from dashboard.results import Results
from dashboard.session import Session

CLUSTER_METHOD_NAMES = {"HDBSCAN": "umap-hdbscan", "SOM": "som"}
STAGES = {"umap-hdbscan": "tree", "som": "nodes"}
_CONTROLS = {
    "display": "grid",
    "grid-template-columns": "repeat(2, minmax(0, 1fr))",
    "gap": "0 16px",
    "padding": "6px 10px 4px",
    "border-bottom": "1px solid var(--xrf-hairline)",
    "flex": "none",
}
_GRID = ":host { display: grid !important; } :host > * { margin: 0 !important; min-width: 0; }"


class ClustersView(pn.viewable.Viewer):
    """The cluster pane."""

    def __init__(self, session: Session, results: Results) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._fitting = False
        self._title = Caption(text="Clusters")
        method = Choice(
            options=[*CLUSTER_METHOD_NAMES.items()], value=session.cluster_method, boxed=True,
            width=112, height=32, margin=0, label="How the clusters are found",
            description="How the clusters are found: dense groups of the embedding (HDBSCAN), "
            "or neighbours on a grid, the self-organising map (SOM)",
        )  # fmt: skip
        method.link(session, value="cluster_method")
        session.param.watch(lambda e: method.param.update(value=e.new), "cluster_method")
        self._smallest = self._slider(
            "Smallest cluster", "min_cluster_size", 2, 500,
            "Clusters of fewer pixels are not told apart (min_cluster_size)",
        )  # fmt: skip
        strict = self._slider(
            "How strict", "min_samples", 1, 50,
            "The higher, the more pixels stay unassigned (min_samples)",
        )  # fmt: skip
        neighbours = self._slider(
            "Neighbours", "n_neighbors", 2, 100,
            "How many like pixels each pixel is compared with in the embedding (n_neighbors); "
            "more shows the large structure, fewer the detail",
        )  # fmt: skip
        rows = self._slider("Rows", "som_rows", 1, 8, "Rows of the map's grid")
        columns = self._slider("Columns", "som_columns", 1, 8, "Columns of the map's grid")
        self._density = [self._smallest, strict, neighbours]
        self._grid = [rows, columns]
        self._controls = pn.Column(
            *self._density, *self._grid, styles=_CONTROLS, stylesheets=[_GRID], margin=0,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self._large = IconButton(
            icon="account_tree", margin=0, width=32, height=32,
            on_message=lambda data: self._open_stage(),
        )  # fmt: skip
        self._list = Clusters(
            sizing_mode="stretch_both", margin=0, can_keep=True, on_message=self._take_message
        )
        self._list.param.watch(lambda e: setattr(session, "cluster", e.new), "value")
        session.param.watch(lambda e: self._list.param.update(value=e.new), "cluster")
        self._cover = state_cover(self._act)
        self._layout = pane(
            title_row(self._title, method, self._large),
            self._controls,
            body(self._list, self._cover),
            area="clusters",
            css_class="xrf-clusters",
        )
        results.param.watch(lambda *e: self._show(), ["clusters", "cluster_texts", "found"])
        session.param.watch(lambda *e: self._show(), "cluster_names")
        results.param.watch(lambda *e: self._fit_range(), "opened")
        results.param.watch(lambda *e: self._show_state(), "cluster_state")
        session.param.watch(lambda *e: self._show_controls(), "cluster_method")
        self._show_controls()
        self._show_state()

    def __panel__(self) -> pn.Column:
        return self._layout

    def _slider(self, label: str, name: str, low: int, high: int, description: str) -> Slider:
        value = max(getattr(self.session, name), low)
        slider = Slider(
            label=label, low=low, high=max(high, value), value=value, description=description,
            margin=0, height=44, sizing_mode="stretch_width",
        )  # fmt: skip

        def take(event) -> None:
            if not self._fitting:
                setattr(self.session, name, event.new)

        slider.param.watch(take, "value")
        self.session.param.watch(
            lambda e: slider.param.update(value=e.new) if e.new >= slider.low else None, name
        )
        return slider

    def _fit_range(self) -> None:
        if self.results.opened is None:
            return
        n = self.results.opened.cube.n_pixels
        size = self.results.cluster_settings().cluster_size(n)
        self._fitting = True  # where the slider starts is no choice of the user's
        try:
            self._smallest.param.update(high=max(n // 10, 2 * size, 20), value=size)
        finally:
            self._fitting = False

    def _open_stage(self) -> None:
        self.session.stage = STAGES[self.session.cluster_method]

    def _take_message(self, data: dict) -> None:
        results = self.results
        if "name" in data:
            number, name = data["name"]
            results.name_cluster(int(number), str(name))
        elif "merge" in data:
            number, other = data["merge"]
            results.merge_clusters(int(number), int(other))
        elif "apart" in data:
            results.take_apart(int(data["apart"]))
        elif "region" in data:
            results.keep_cluster(int(data["region"]))
        elif "automatic" in data:
            results.cut_automatically()

    def _act(self, action: str) -> None:
        if action == "Cancel":
            self.results.cancel_clusters()
        else:
            self.results.start_clusters()

    def _show_controls(self) -> None:
        is_som = self.session.cluster_method == "som"
        self._large.param.update(
            icon="grid_view" if is_som else "account_tree",
            label="Grid of the map" if is_som else "Tree of the clusters",
            description="Show the grid of the map with the spectrum of each node" if is_som
            else "Show the tree of the clusters, to cut it by hand",
        )  # fmt: skip
        for slider in self._density[:2]:
            slider.visible = not is_som
        for slider in self._grid:
            slider.visible = is_som

    def _show_state(self) -> None:
        self._list.stale = self.results.cluster_state.kind == "loading"
        show_state(
            self._cover,
            self.results.cluster_state,
            has_content=bool(self._list.items) and self.results.clusters is not None,
        )

    def _show(self) -> None:
        result = self.results.clusters
        if result is None:
            self._list.items = []
            self._title.param.update(text="Clusters", detail="")
            self._show_state()
            return
        clustering = result.clustering
        total = clustering.labels.size
        names, texts = self.session.cluster_names, self.results.cluster_texts
        # The instrument's own elements are everywhere, and say nothing of a cluster.
        left_out = {item.element for item in self.results.found if item.is_instrument}
        left_out |= {item.element for item in self.results.overruled}
        items = [
            {
                "number": number,
                "name": self.results.cluster_name(label),
                "given": names.get(result.ids[label], ""),
                "colour": cluster_colour(number),
                "size": int(size),
                "share": float(size) / total,
                "elements": [s for s in result.elements[label] if s not in left_out],
                "text": texts[label] if label < len(texts) else "",
                "merged": result.merges[label] >= 0,
            }
            for label, (number, size) in enumerate(
                zip(clustering.numbers, clustering.sizes, strict=True)
            )
        ]
        if clustering.n_unassigned:
            items.append(
                {
                    "number": -1,
                    "name": "In no cluster",
                    "given": "",
                    "text": "",
                    "merged": False,
                    "colour": cluster_colour(-1),
                    "size": clustering.n_unassigned,
                    "share": clustering.n_unassigned / total,
                    "elements": [],
                }
            )
        self._list.param.update(
            items=items,
            value=self.session.cluster,
            partial=not result.is_complete,
            note="Cut by hand in the tree" if self.results.is_cut_by_hand else "",
        )
        plural = "" if clustering.n_clusters == 1 else "s"
        self._title.text = f"{clustering.n_clusters} cluster{plural}"
        self._show_state()
