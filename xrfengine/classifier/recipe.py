"""What a training run depends on, and the recipes that belong to the presets."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrfengine.classifier.checkpoint import preset_elements, preset_preprocess
from xrfengine.classifier.feed import FeedSettings
from xrfengine.classifier.network import NetworkConfig, Preset, config_from_dict, preset_config
from xrfengine.errors import SettingsError


@dataclass(frozen=True)
class TrainSettings:
    """What a training run depends on.

    Attributes
    ----------
    preset : {"compact", "thesis", "resnet"}
    minutes : float
        Wall time for training; calibrating and validating at the end take some minutes more.
    seed : int
    workers : int
        Processes that simulate spectra beside the training; 0 simulates between the steps.
    threads : int or None
        Threads of the network's arithmetic; None leaves torch's choice.
    device : str or None
        None takes the GPU if there is one.
    batch : int
        Spectra a step.
    learning_rate : float
        Highest, after the warm-up.
    muon_rate : float
        The same for the matrices of the encoder blocks, which Muon turns.
    weight_decay : float
    warm_up : float
        Share of the time in which the learning rate rises from 0.
    average : float
        Decay of the moving average of the weights, which is what is kept; 0 keeps the last.
    clip : float
        Largest norm of the gradient.
    recipe : {"cosine", "constant"}
        Muon and AdamW with warm-up and cosine, or the thesis's plain Adam at a constant rate.
    false_alarms_per_spectrum : float
        Of all elements together, on simulated spectra, at the default thresholds; 0.05 is one
        element too many in 20 spectra.
    most_counts : float or None
        Brighter spectra are scaled down to so many counts when the network is used. With 3e5 the
        noise of a main peak (some 3e4 counts) equals what real line shapes differ from simulated
        ones, 0.6 %.
    validation_spectra : int
        Simulated spectra held apart: half for calibration and thresholds, half for the figures.
        A threshold that one absent spectrum in 2,000 passes needs 10⁵ to rest on 50 of them.
    steps : int or None
        End after so many steps instead of after ``minutes``.
    elements : tuple of str or None
        None takes the preset's.
    network : tuple of (name, value)
        Fields of the network's configuration that differ from the preset's.
    simulation : tuple of (name, value)
        Settings of the simulator that differ from the preset's.
    begin_with : str or None
        Path of the weights to go on from; None begins anew.
    """

    preset: Preset = "compact"
    minutes: float = 20.0
    seed: int = 0
    workers: int = 1
    threads: int | None = None
    device: str | None = None
    batch: int = 128
    learning_rate: float = 2e-3
    muon_rate: float = 0.02
    weight_decay: float = 0.02
    warm_up: float = 0.03
    average: float = 0.998
    clip: float = 1.0
    recipe: str = "cosine"
    false_alarms_per_spectrum: float = 0.05
    most_counts: float | None = 3e5
    validation_spectra: int = 196608
    steps: int | None = None
    elements: tuple[str, ...] | None = None
    network: tuple[tuple[str, Any], ...] = ()
    simulation: tuple[tuple[str, Any], ...] = ()
    begin_with: str | None = None

    def __post_init__(self) -> None:
        if not self.minutes > 0 or (self.steps is not None and self.steps < 1):
            raise SettingsError("training needs time", "Give more than 0 minutes.")
        if self.workers < 0 or self.batch < 1 or self.validation_spectra < 64:
            raise SettingsError(
                "workers must be 0 or more, batch 1 or more, validation spectra 64 or more"
            )
        if self.recipe not in ("cosine", "constant"):
            raise SettingsError(f"there is no recipe {self.recipe!r}", "Use cosine or constant.")
        preset_config(self.preset, 1)
        for name in ("network", "simulation"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))

    @classmethod
    def for_preset(cls, preset: Preset, **changes: Any) -> TrainSettings:
        """The recipe that belongs to a preset.

        The thesis's (3.2): Adam 1e-4, batch 128, no schedule, no averaging; its ResNet likewise.
        """
        if preset == "compact":
            return cls(preset, **changes)
        plain = {
            "batch": 128,
            "learning_rate": 1e-4,
            "weight_decay": 0.0,
            "warm_up": 0.0,
            "average": 0.0,
            "clip": math.inf,
            "recipe": "constant",
            "most_counts": None,
            "validation_spectra": 8192,
        }
        return cls(preset, **{**plain, **changes})

    @classmethod
    def for_bright(cls, weights: str | Path, **changes: Any) -> TrainSettings:
        """Going on from weights to a network that reads every count of bright spectra.

        Of silicon detectors under X-rays alone, with a matched filter beside the other features:
        the network that such spectra are searched for traces with. It learns what is in a spectrum;
        what of it is the instrument's own, the judge of traces weighs.
        """
        bright = {
            "learning_rate": 1e-3,
            "muon_rate": 0.01,
            "average": 0.999,
            "most_counts": None,
            "network": (("n_features", 4),),
            "simulation": (
                ("counts", (1e5, 3e8)),
                # At 10⁷ counts an element of 10 σ may be 10⁴ times weaker than the main one.
                ("decades", 4.8),
                ("own_lines", "ignored"),
                ("share_electrons", 0.0),
                ("share_gas", 0.0),
            ),
        }
        return cls("compact", begin_with=str(weights), **{**bright, **changes})

    def at_rate(self, learning_rate: float) -> TrainSettings:
        """The same with another highest learning rate, Muon's in proportion.

        Raises
        ------
        SettingsError
            If it is not above 0.
        """
        if not learning_rate > 0:
            raise SettingsError(f"a learning rate of {learning_rate}", "Give one above 0.")
        muon_rate = self.muon_rate * learning_rate / self.learning_rate
        return dataclasses.replace(self, learning_rate=learning_rate, muon_rate=muon_rate)

    def to_dict(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        # Where a file lies is nobody's business; which weights they were, the card says.
        del values["begin_with"]
        values["clip"] = None if math.isinf(self.clip) else self.clip
        values["network"], values["simulation"] = dict(self.network), dict(self.simulation)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainSettings:
        fields = dict(values)
        for name in ("network", "simulation"):
            fields[name] = tuple(dict(fields.get(name) or {}).items())
        if fields.get("clip") is None:
            fields["clip"] = math.inf
        if fields.get("elements") is not None:
            fields["elements"] = tuple(fields["elements"])
        return cls(**fields)

    def network_config(self) -> NetworkConfig:
        config = preset_config(self.preset, len(self.learned()))
        return config_from_dict({**config.to_dict(), **dict(self.network)})

    def learned(self) -> tuple[str, ...]:
        """The elements in the order of the network's outputs."""
        return self.elements or preset_elements(self.preset)

    def feed(self) -> FeedSettings:
        from xrfengine.classifier.simulate import SimulationSettings

        kind = "physical" if self.preset == "compact" else "thesis"
        config = self.network_config()
        # Several instruments in every step; what one instrument costs to set up is shared by the
        # spectra drawn from it.
        return FeedSettings(
            simulation=SimulationSettings.from_dict({"preset": kind, **dict(self.simulation)}),
            elements=self.learned(),
            preprocess=preset_preprocess(self.preset, config),
            batch=self.batch,
            per_instrument=self.batch,
            instruments=16,
            seed=self.seed,
        )

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on from another's state."""
        values = self.to_dict()
        for free in ("minutes", "steps", "workers", "threads", "device"):
            del values[free]
        for later in ("false_alarms_per_spectrum", "most_counts", "validation_spectra"):
            del values[later]
        return {**values, "elements": list(self.learned())}
