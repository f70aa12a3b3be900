"""Weights on disk: ``NAME.safetensors`` with everything needed to use them, ``NAME.json`` beside.

The settings a network was trained with travel inside the weights' file; the card repeats them for
people and adds how it was made and what it reached. Never pickle.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from xrfengine.cache import digest, written_whole
from xrfengine.classifier.network import (
    NetworkConfig,
    Preset,
    build,
    config_from_dict,
    preset_config,
)
from xrfengine.errors import ModelError, SettingsError
from xrfengine.preprocess import PreprocessSettings

FORMAT = "xrfengine-1"

_REMEDY = "Give the path of a .safetensors file that `xrfengine train` wrote."


@dataclass(frozen=True)
class Checkpoint:
    """A network with all that belongs to it.

    Attributes
    ----------
    preset : str
    network : NetworkConfig
    preprocess : PreprocessSettings
    elements : tuple of str
        Symbols in the order of the network's outputs.
    thresholds : ndarray, float32, shape (element,), 0…1
        Probability from which an element counts as present.
    weights : dict
        Tensors by name.
    most_counts : float or None
        Brighter spectra are scaled down to so many counts; see
        :meth:`xrfengine.preprocess.Preprocessor.__call__`.
    card : dict
        What people want to know: command, seed, settings, figures. May be empty.
    """

    preset: str
    network: NetworkConfig
    preprocess: PreprocessSettings
    elements: tuple[str, ...]
    thresholds: np.ndarray
    weights: dict[str, torch.Tensor]
    most_counts: float | None = None
    card: dict[str, Any] = field(default_factory=dict)

    def built(self) -> nn.Module:
        """The network with its weights, in evaluation mode."""
        network = build(self.network)
        network.load_state_dict(self.weights)
        return network.eval()

    @property
    def digest(self) -> str:
        """Short hex digest of the weights and of everything that changes an answer."""
        arrays = [(k, v.numpy()) for k, v in sorted(self.weights.items())]
        settings = json.dumps(self._settings(), sort_keys=True)
        return digest(settings, [list(item) for item in arrays])

    def _settings(self) -> dict[str, Any]:
        return {
            "preset": self.preset,
            "network": self.network.to_dict(),
            "preprocess": self.preprocess.to_dict(),
            "elements": list(self.elements),
            "thresholds": [round(float(t), 6) for t in self.thresholds],
            "most_counts": self.most_counts,
        }

    def save(self, path: Path) -> Path:
        """Write ``path`` and the card beside it, each whole or not at all."""
        path = Path(path)
        if path.suffix != ".safetensors":
            raise ModelError(
                f"{path}: weights end in .safetensors", f"Use {path.with_suffix('.safetensors')}."
            )
        metadata = {"format": FORMAT, "settings": json.dumps(self._settings())}
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.weights.items()}
        with written_whole(path) as temporary:
            save_file(tensors, temporary, metadata)
        card = {**self._settings(), **self.card}
        with written_whole(card_path(path)) as temporary:
            temporary.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        return path


def card_path(path: Path) -> Path:
    """Where the card of a weights' file lies."""
    return Path(path).with_suffix(".json")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not ours, or its parts do not fit together.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there are no weights at {path}", _REMEDY)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged or no file of weights ({error})", _REMEDY) from error
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} was not written by this software", _REMEDY)
    try:
        settings = json.loads(metadata["settings"])
        checkpoint = Checkpoint(
            preset=settings["preset"],
            network=config_from_dict(settings["network"]),
            preprocess=PreprocessSettings.from_dict(settings["preprocess"]),
            elements=tuple(settings["elements"]),
            thresholds=np.asarray(settings["thresholds"], dtype=np.float32),
            weights=weights,
            most_counts=settings.get("most_counts"),
            card=_read_card(path),
        )
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise ModelError(f"the settings inside {path} make no sense ({error})", _REMEDY) from error
    _check(checkpoint, path)
    return checkpoint


def _read_card(path: Path) -> dict[str, Any]:
    beside = card_path(path)
    if not beside.is_file():
        return {}
    try:
        card = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(
            f"the card {beside} cannot be read ({error})", "Mend it or remove it; weights suffice."
        ) from error
    return card if isinstance(card, dict) else {}


def _check(checkpoint: Checkpoint, path: Path) -> None:
    network, preprocess = checkpoint.network, checkpoint.preprocess
    n = len(checkpoint.elements)
    if not n == network.n_classes == checkpoint.thresholds.size:
        raise ModelError(
            f"{path} names {n} elements, {checkpoint.thresholds.size} thresholds and "
            f"{network.n_classes} outputs",
            _REMEDY,
        )
    if (network.n_features, network.n_bins) != (preprocess.n_features, preprocess.n_bins):
        raise ModelError(f"in {path} network and preprocessing do not fit together", _REMEDY)
    expected = build(network).state_dict()
    got = checkpoint.weights
    if set(expected) != set(got) or any(expected[k].shape != got[k].shape for k in expected):
        raise ModelError(f"the weights in {path} do not fit its settings", _REMEDY)
    if not all(torch.isfinite(w).all() for w in got.values()):
        raise ModelError(f"{path} holds weights that are no numbers", "Train it again.")


def preset_preprocess(preset: Preset, network: NetworkConfig) -> PreprocessSettings:
    """The preprocessing that belongs to a preset, with the bins and features its network reads."""
    plain = PreprocessSettings() if preset == "compact" else PreprocessSettings.thesis()
    return dataclasses.replace(
        plain, n_bins=network.n_bins, matched_filter=network.n_features > plain.n_features
    )


def untrained(
    preset: Preset = "compact",
    elements: tuple[str, ...] | None = None,
    seed: int = 0,
    **changes: Any,
) -> Checkpoint:
    """A checkpoint with random weights: where training starts, and what tests use.

    Parameters
    ----------
    elements : tuple of str, optional
        Default: those of the preset.
    changes
        Fields of the network's configuration to replace, such as ``depth=1``.
    """
    if elements is None:
        elements = preset_elements(preset)
    config = dataclasses.replace(preset_config(preset, len(elements)), **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = build(config).state_dict()
    return Checkpoint(
        preset=preset,
        network=config,
        preprocess=preset_preprocess(preset, config),
        elements=tuple(elements),
        thresholds=np.full(len(elements), 0.5, dtype=np.float32),
        weights=weights,
    )


def preset_elements(preset: Preset) -> tuple[str, ...]:
    """The elements a preset learns."""
    if preset == "compact":
        from xrfengine.lines import ELEMENTS

        return ELEMENTS
    from xrfengine.classifier.simulate import THESIS_ELEMENTS

    return THESIS_ELEMENTS
