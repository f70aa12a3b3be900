"""A training under way: weights, their average, the optimisers, and where the schedule stands."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from xrfengine.cache import written_whole
from xrfengine.classifier.checkpoint import load
from xrfengine.classifier.network import ViTConfig, build, widened
from xrfengine.classifier.recipe import TrainSettings
from xrfengine.classifier.workers import best_device
from xrfengine.errors import ModelError, SettingsError

_RARE_LOGIT = -3.0
"""Logit of an element's average share of spectra, 5 %."""


class Run:
    """Weights, their average and the optimiser, on their way."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.device = best_device(settings.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = build(settings.network_config()).to(self.device)
        self.begun_with = ""
        if settings.begin_with is not None:
            begun = load(Path(settings.begin_with))
            self.begun_with = begun.digest
            config = settings.network_config()
            if begun.elements != settings.learned() or not isinstance(config, ViTConfig):
                raise SettingsError(
                    f"{settings.begin_with} cannot be gone on from: it is for other elements",
                    "Begin with weights of the preset compact.",
                )
            self.network.load_state_dict(widened(begun.weights, config))
        elif settings.recipe == "cosine":
            # Elements are rare: starting from their share saves the first steps.
            nn.init.constant_(self.network.head.bias, _RARE_LOGIT)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.optimisers = _optimisers(self.network, settings)
        self.step = 0
        self.skipped = 0
        self.used_s = 0.0
        self.runs = 0
        self.history: list[list[float]] = []

    @property
    def fraction(self) -> float:
        """Share of the training that is over, 0…1."""
        if self.settings.steps is not None:
            return min(self.step / self.settings.steps, 1.0)
        return min(self.used_s / (60.0 * self.settings.minutes), 1.0)

    def pace(self) -> float:
        """What the learning rates are multiplied with at this point of the schedule, 0…1."""
        s, done = self.settings, self.fraction
        if s.recipe == "constant":
            return 1.0
        if done < s.warm_up:
            return max(done / s.warm_up, 0.01)
        turn = (done - s.warm_up) / (1.0 - s.warm_up)
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * turn))

    def learn(self, features: np.ndarray, labels: np.ndarray) -> float:
        """One step; returns its loss."""
        self.network.train()
        x = torch.from_numpy(features).to(self.device, non_blocking=True)
        y = torch.from_numpy(labels).to(self.device, non_blocking=True)
        half = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits = self.network(x)
        loss = masked_loss(logits.float(), y)
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.step += 1
        if not math.isfinite(float(loss.detach()) + float(norm)):
            # One spectrum of which something is no number would cost all that was learned.
            self._skip()
            return math.nan
        pace = self.pace()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = pace * group["full_rate"]
            optimiser.step()
        self._move_average()
        return float(loss.detach())

    def _skip(self) -> None:
        self.skipped += 1
        if self.skipped > max(10, self.step // 20):
            message = f"{self.skipped} of {self.step} training steps gave no finite gradient"
            raise RuntimeError(message)

    @torch.no_grad()
    def _move_average(self) -> None:
        # A short memory at first, or the random start would linger in the average.
        decay = min(self.settings.average, (1.0 + self.step) / (10.0 + self.step))
        for name, value in self.network.state_dict().items():
            kept = self.average[name]
            if decay and self.settings.average and kept.is_floating_point():
                kept.lerp_(value, 1.0 - decay)
            else:
                kept.copy_(value)

    def tensors(self) -> dict[str, torch.Tensor]:
        found = {f"now/{k}": v for k, v in self.network.state_dict().items()}
        found |= {f"average/{k}": v for k, v in self.average.items()}
        for place, optimiser in enumerate(self.optimisers):
            for index, state in optimiser.state_dict()["state"].items():
                prefix = f"optimiser/{place}/{index}"
                found |= {f"{prefix}/{k}": torch.as_tensor(v) for k, v in state.items()}
        return {k: v.detach().cpu().clone() for k, v in found.items()}

    def save(self, path: Path) -> None:
        facts = {
            "step": self.step,
            "used_s": self.used_s,
            "runs": self.runs,
            "skipped": self.skipped,
            "history": self.history,
            "identity": self._identity(),
        }
        with written_whole(path) as temporary:
            save_file(self.tensors(), temporary, {"training": json.dumps(facts)})

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a state to be gone on from."""
        begun = {"begun_with": self.begun_with} if self.begun_with else {}
        return {**self.settings.identity(), **begun}

    def resume(self, path: Path) -> None:
        """Go on from a state file.

        Raises
        ------
        ModelError
            If the file is damaged or belongs to a training with other settings.
        """
        remedy = f"Remove {path} to start anew."
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads((file.metadata() or {})["training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise ModelError(f"the unfinished training {path} is damaged ({error})", remedy) from (
                error
            )
        if facts["identity"] != json.loads(json.dumps(self._identity())):
            raise ModelError(
                f"{path} belongs to an unfinished training with other settings",
                f"Use the same settings to go on. {remedy}",
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"now": {}, "average": {}}
        states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in self.optimisers]
        for name, value in tensors.items():
            head, _, rest = name.partition("/")
            if head == "optimiser":
                place, index, key = rest.split("/")
                states[int(place)].setdefault(int(index), {})[key] = value
            else:
                parts[head][rest] = value.to(self.device)
        self.network.load_state_dict(parts["now"])
        self.average = parts["average"]
        for optimiser, state in zip(self.optimisers, states, strict=True):
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.step, self.used_s = int(facts["step"]), float(facts["used_s"])
        self.history = facts["history"]
        self.runs, self.skipped = int(facts["runs"]), int(facts["skipped"])


def _optimisers(network: nn.Module, settings: TrainSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the encoder blocks, AdamW for all else.

    Muon (Jordan et al. 2024) orthogonalises each update; on 33,000 spectra it reached a
    loss of 0.047 where AdamW alone reached 0.054, for a tenth more time a step. The thesis's
    recipe is plain Adam.
    """
    rate, cosine = settings.learning_rate, settings.recipe == "cosine"
    matrices = [
        p
        for name, p in network.named_parameters()
        if cosine and name.startswith("blocks.") and p.ndim == 2
    ]
    taken = {id(p) for p in matrices}
    others = [p for p in network.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
    ]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98 if cosine else 0.999))
    ]
    if matrices:
        found.append(
            torch.optim.Muon(matrices, lr=settings.muon_rate, weight_decay=settings.weight_decay)
        )
    for optimiser in found:
        for group in optimiser.param_groups:
            group["full_rate"] = group["lr"]
    return found


def masked_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy over the labels that are 0 or 1; those of −1 do not count."""
    known = labels >= 0
    target = (labels > 0).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)
