"""Clusters at large: the tree to cut by hand, and the grid of a self-organising map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import panel as pn

from dashboard.components import Slider
from dashboard.components.groups import LabelsMap, Nodes, Tree
from dashboard.frames.pane import body, show_state, state_cover
from dashboard.latest import LatestOnly
from dashboard.plots.pictures import cluster_colour, energy_limits, labels_picture
from dashboard.results import Results
from dashboard.session import Session
from dashboard.shown import READY, State
from xrfengine.cluster.branches import Branch, CondensedTree, at_density, keep, leave_out, split
from xrfengine.jobs import CancelToken, Progress

_BESIDE = """:host { display: grid !important; grid-template-columns: minmax(0, 1fr) 380px;
  gap: 0; height: 100%; min-height: 0; }
:host > * { margin: 0 !important; min-width: 0; min-height: 0; }"""
_ASIDE = {"border-left": "1px solid var(--xrf-hairline)", "padding": "12px 16px"}
_N_HEIGHTS = 160
_DECADES = 3.5
"""Of counts, in a small spectrum."""


class _Large(pn.viewable.Viewer):
    """What both have: a large part at the left; the map and the chosen cluster at the right."""

    stage = ""

    def __init__(self, session: Session, results: Results, large: Any, *beside: Any) -> None:
        super().__init__()
        self.session, self.results = session, results
        self._draw = LatestOnly(results.deliver)
        self._cover = state_cover(lambda action: results.start_clusters())
        self._map = LabelsMap(
            margin=0, sizing_mode="stretch_both", on_message=self._take_message,
            styles={"min-height": "0", "overflow": "hidden auto"},
        )  # fmt: skip
        self._layout = pn.Row(
            body(large, self._cover),
            pn.Column(*beside, self._map, styles=_ASIDE, margin=0, sizing_mode="stretch_both"),
            stylesheets=[_BESIDE], sizing_mode="stretch_both", margin=0,
        )  # fmt: skip
        results.param.watch(self._if_on_stage(self._show), ["clusters", "cluster_texts"])
        session.param.watch(
            self._if_on_stage(self._show), ["cluster", "cluster_names", "overrides"]
        )

    def __panel__(self) -> pn.Row:
        return self._layout

    def _if_on_stage(self, call: Callable[[], None]) -> Callable[..., None]:
        """Nothing is drawn for nobody."""
        return lambda *events: call() if self.session.stage == self.stage else None

    def shown(self) -> None:
        """It came on stage."""
        self._show()

    def _show(self) -> None:
        """The map, and what is said of the chosen cluster."""
        clusters, number = self.results.clusters, self.session.cluster
        if clusters is None:
            self._map.param.update(src="", title="", text="", actions=[], hint="")
            return
        clustering = clusters.clustering
        label = clustering.numbers.index(number) if number in clustering.numbers else None
        colours = [cluster_colour(each) for each in clustering.numbers]
        texts = self.results.cluster_texts
        said = {"title": "", "text": ""}
        if label is not None:
            size, share = (
                int(clustering.sizes[label]),
                clustering.sizes[label] / max(clustering.labels.size, 1),
            )
            text = texts[label] if label < len(texts) else ""
            said = {
                "title": self.results.cluster_name(label),
                "text": f"{size:,} pixels, {100 * share:.1f} % of the scan. {text}".strip(),
                "colour": colours[label],
            }
        self._map.param.update(**said, actions=self._actions(label), hint=self._hint())
        self._draw.start(
            partial(_picture, clustering.labels, colours, label),
            then=lambda src: self._map.param.update(src=src),
            failed=lambda error: self._map.param.update(src="", text=error.message),
        )

    def _actions(self, label: int | None) -> list[tuple[str, str, str]]:
        return []

    def _hint(self) -> str:
        return ""

    def _act(self, action: str) -> None:
        """One of the actions was asked for."""

    def _take_message(self, data: dict) -> None:
        clusters = self.results.clusters
        if "at" in data and clusters is not None:
            labels = clusters.clustering.labels
            height, width = labels.shape
            x, y = (float(np.clip(v, 0.0, 0.999999)) for v in data["at"])
            label = int(labels[int(y * height), int(x * width)])
            self.session.cluster = clusters.clustering.numbers[label] if label >= 0 else None
        elif "action" in data:
            self._act(str(data["action"]))


def _picture(labels, colours, label, *, progress: Progress, cancel: CancelToken) -> str:
    return labels_picture(labels, colours, label)


class TreeView(_Large):
    """The condensed tree; clicking its branches makes them clusters."""

    stage = "tree"

    def __init__(self, session: Session, results: Results) -> None:
        self._tree = Tree(
            margin=0, sizing_mode="stretch_both", on_message=self._take_tree_message,
            css_classes=["xrf-tree"],
        )  # fmt: skip
        self._smallest = Slider(
            label="Smallest cluster, pixels", low=2, high=500, value=2, margin=0, height=44,
            sizing_mode="stretch_width",
            description="Branches of fewer pixels are not shown (min_cluster_size)",
        )  # fmt: skip
        self._fitting = False
        self._smallest.param.watch(self._take_smallest, "value")
        super().__init__(session, results, self._tree, self._smallest)
        results.param.watch(self._if_on_stage(self._show_new_tree), "tree")
        results.param.watch(self._if_on_stage(self._show_state), "tree_state")
        results.param.watch(self._if_on_stage(results.find_tree), ["clusters", "embedding"])
        session.param.watch(self._if_on_stage(self._show_chosen), "cluster_branches")

    def shown(self) -> None:
        self.results.find_tree()
        self._show_state()
        self._show_tree()
        self._show()

    def _take_smallest(self, event) -> None:
        if not self._fitting:
            self.session.min_cluster_size = event.new

    def _show_new_tree(self) -> None:
        self._show_tree()
        self._show()

    def _show_state(self) -> None:
        show_state(self._cover, self.results.tree_state, has_content=self.results.tree is not None)

    def _show_tree(self) -> None:
        tree = self.results.tree
        self._tree.branches = [] if tree is None else drawn(tree)
        if tree is not None:
            least = self.results.cluster_settings().cluster_size(tree.n_points)
            self._fitting = True  # where the slider stands is no choice of the user's
            try:
                self._smallest.param.update(high=max(tree.n_points // 10, 2 * least), value=least)
            finally:
                self._fitting = False
        self._show_chosen()

    def _show_chosen(self) -> None:
        tree = self.results.tree
        if tree is None:
            self._tree.chosen = {}
            return
        chosen = {}
        for branch in self.results.chosen_branches:
            if (index := tree.index(branch)) is not None:
                chosen[str(index)] = {
                    "number": branch[0],
                    "colour": cluster_colour(branch[0]),
                    "name": self._name(branch[0]),
                }
        self._tree.param.update(chosen=chosen, value=self.session.cluster)

    def _name(self, number: int) -> str:
        clusters = self.results.clusters
        if clusters is not None and number in clusters.clustering.numbers:
            return self.results.cluster_name(clusters.clustering.numbers.index(number))
        return f"Cluster {number + 1}"

    def _show(self) -> None:
        super()._show()
        self._show_chosen()

    def _now(self) -> tuple[CondensedTree, tuple[Branch, ...], int | None] | None:
        """Tree, chosen branches, and the index of the one that is selected."""
        tree = self.results.tree
        if tree is None:
            return None
        chosen = self.results.chosen_branches
        mine = next((b for b in chosen if b[0] == self.session.cluster), None)
        return tree, chosen, None if mine is None else tree.index(mine)

    def _take_tree_message(self, data: dict) -> None:
        now = self._now()
        if now is None:
            return
        tree, chosen, _ = now
        if "level" in data:
            low, high = _range(tree)
            level = float(np.clip(float(data["level"]), 0.0, 1.0))
            self._cut(at_density(tree, chosen, float(low * (high / low) ** level)), None)
        elif "branch" in data and 0 <= int(data["branch"]) < tree.size.size:
            index = int(data["branch"])
            is_chosen = any(tree.index(branch) == index for branch in chosen)
            self._cut(chosen if is_chosen else keep(tree, chosen, index), index)

    def _cut(self, chosen: tuple[Branch, ...], select: int | None) -> None:
        tree = self.results.tree
        if chosen != self.results.chosen_branches:
            self.results.cut_by_hand(chosen)
        number = next(
            (b[0] for b in chosen if select is not None and tree.index(b) == select), None
        )
        self.session.cluster = number

    def _actions(self, label: int | None) -> list[tuple[str, str, str]]:
        actions, now = [], self._now()
        if now is not None and now[2] is not None:
            tree, _, index = now
            if tree.children(index):
                actions.append(("Split in two", "split", "Make its two branches clusters"))
            if tree.parent[index] > 0:
                actions.append(
                    ("Join with its neighbour", "join", "Make the branch above it one cluster")
                )
            actions.append(("Leave out", "leave", "Its pixels belong to no cluster"))
        if self.results.is_cut_by_hand:
            actions.append(("Back to automatic", "automatic", "As the settings give the clusters"))
        return actions

    def _hint(self) -> str:
        return (
            "Every pixel has its place from left to right; downwards, only pixels that are more "
            "alike stay together. Click a branch to make it one cluster, or drag the slider at "
            "the left to cut straight through."
        )

    def _act(self, action: str) -> None:
        if action == "automatic":
            self.results.cut_automatically()
            return
        now = self._now()
        if now is None or now[2] is None:
            return
        tree, chosen, index = now
        if action == "split":
            self._cut(split(tree, chosen, index), None)
        elif action == "leave":
            self._cut(leave_out(tree, chosen, index), None)
        elif action == "join" and tree.parent[index] > 0:
            parent = int(tree.parent[index])
            self._cut(keep(tree, chosen, parent), parent)


def _range(tree: CondensedTree) -> tuple[float, float]:
    """Densities at the top and at the bottom of the picture."""
    low, high = float(tree.born.min()), float(tree.ends.max())
    return low, max(high, low * 1.001)


def drawn(tree: CondensedTree) -> list[dict[str, Any]]:
    """The branches as their picture needs them: places and depths from 0 to 1."""
    low, high = _range(tree)
    branches = []
    for i, outline in enumerate(tree.outlines):
        depth = np.log(np.clip(outline[:, 0], low, high) / low) / np.log(high / low)
        steps = np.column_stack([depth, outline[:, 1:] / tree.n_points]).round(4)
        branches.append(
            {
                "i": i,
                "parent": int(tree.parent[i]),
                "size": int(tree.size[i]),
                "share": float(tree.size[i]) / tree.n_points,
                "steps": steps.tolist(),
            }
        )
    return branches


class NodesView(_Large):
    """The grid of a self-organising map with the spectrum of each node."""

    stage = "nodes"

    def __init__(self, session: Session, results: Results) -> None:
        self._nodes = Nodes(
            margin=0, sizing_mode="stretch_both", on_message=self._choose, css_classes=["xrf-som"]
        )
        super().__init__(session, results, self._nodes)

    def _choose(self, data: dict) -> None:
        number = int(data.get("number", -1))
        if number >= 0:
            self.session.cluster = None if number == self.session.cluster else number

    def _hint(self) -> str:
        return "Nodes beside each other have like spectra. Click one to select its pixels."

    def _show(self) -> None:
        super()._show()
        clusters, session = self.results.clusters, self.session
        if clusters is None or clusters.clustering.method != "som":
            told = State("empty", "These clusters have no grid", "Choose a self-organising map.")
            show_state(self._cover, told, has_content=False)
            self._nodes.items = []
            return
        show_state(self._cover, READY, has_content=True)
        clustering, texts = clusters.clustering, self.results.cluster_texts
        heights, axis = node_heights(clusters.spectra)
        absent = session.overrides.saying("absent")
        self._nodes.param.update(
            rows=session.som_rows,
            columns=session.som_columns,
            value=session.cluster,
            axis=axis,
            joined=[
                [part, number]
                for number, parts in zip(clustering.numbers, clusters.parts, strict=False)
                for part in parts
                if part != number
            ],
            items=[
                {
                    "number": number,
                    "name": self.results.cluster_name(label),
                    "colour": cluster_colour(number),
                    "size": int(clustering.sizes[label]),
                    "share": float(clustering.sizes[label]) / clustering.labels.size,
                    "elements": [s for s in clusters.elements[label] if s not in absent],
                    "text": texts[label] if label < len(texts) else "",
                    "heights": heights[label] if label < len(heights) else [0, 0],
                }
                for label, number in enumerate(clustering.numbers)
            ],
        )


def node_heights(spectra: tuple) -> tuple[list[list[int]], str]:
    """Mean spectra as heights from 0 to 100 under one logarithmic scale; and what they show."""
    if not spectra:
        return [], "Spectra are being added up…"
    means = np.stack([spectrum.counts / max(spectrum.n_pixels, 1) for spectrum in spectra])
    energy = spectra[0].energy_kev
    low, high = energy_limits(energy, means.sum(axis=0))
    shown = (energy >= max(low, 0.0)) & (energy <= high)
    means, energy = means[:, shown], energy[shown]
    starts = np.unique(np.linspace(0, energy.size, _N_HEIGHTS, endpoint=False).astype(int))
    tops = np.maximum.reduceat(means, starts, axis=1)
    top = max(float(tops.max()), 1e-12)
    share = 1.0 + np.log10(np.maximum(tops, top * 10**-_DECADES) / top) / _DECADES
    axis = (
        f"Mean counts per pixel on one logarithmic scale, {energy[0]:.2f} to {energy[-1]:.2f} keV"
    )
    return (share * 100).round().astype(int).tolist(), axis
