"""The networks: the thesis's 1-D vision transformer, a faster one, and its ResNet baseline.

All give logits, one per element; a sigmoid turns each into a probability of its own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xrfengine.errors import SettingsError

Preset = Literal["thesis", "compact", "resnet"]


@dataclass(frozen=True)
class ViTConfig:
    """A 1-D vision transformer that flattens all tokens into one linear layer.

    Attributes
    ----------
    n_features, n_bins : int
        Shape of the input, (feature, bin).
    n_classes : int
    patch : int
        Bins per token.
    width, heads, depth, mlp : int
        Token width, attention heads, encoder blocks, hidden width of the block's perceptron.
    dropout : float
        Within the perceptrons, while training.
    stem : {"patch", "conv"}
        ``patch``: one convolution without bias, kernel = stride = patch (thesis 2.2.3).
        ``conv``: overlapping convolutions, which see a peak whole wherever it falls.
    stem_width : int
        Channels between the convolutions of the stem ``conv``.
    activation : {"gelu", "relu"}
        GELU costs as much as all matrix products of a small block on a processor; ReLU does not.
    head_width : int
        Hidden units between all tokens and the classes, beside the linear layer; 0 has none.
        A tenth of a block's arithmetic, and every line can be weighed against every other.
    """

    n_features: int = 1
    n_bins: int = 4096
    n_classes: int = 20
    patch: int = 16
    width: int = 16
    heads: int = 8
    depth: int = 6
    mlp: int = 64
    dropout: float = 0.1
    stem: Literal["patch", "conv"] = "patch"
    stem_width: int = 32
    activation: Literal["gelu", "relu"] = "gelu"
    head_width: int = 0

    def __post_init__(self) -> None:
        if self.n_bins % self.patch or self.width % self.heads:
            raise SettingsError(
                f"{self.n_bins} bins in patches of {self.patch}, width {self.width} over "
                f"{self.heads} heads: neither may leave a remainder"
            )
        if self.stem == "conv" and self.patch % 4:
            raise SettingsError(f"the stem conv needs a patch divisible by 4, got {self.patch}")

    @property
    def n_tokens(self) -> int:
        return self.n_bins // self.patch

    @property
    def work(self) -> float:
        """Rough multiply-adds per spectrum; the softmax counts as several. Sets chunk sizes."""
        tokens, width = self.n_tokens, self.width
        linear = tokens * (4 * width * width + 2 * width * self.mlp)
        attention = tokens * tokens * (2 * width + 16 * self.heads)
        head = tokens * width * (self.n_classes + self.head_width)
        return float(self.depth * (linear + attention) + head)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "vit", **dataclasses.asdict(self)}


@dataclass(frozen=True)
class ResNetConfig:
    """ResNet-50 in one dimension with global average pooling (thesis 2.2.1).

    The pooling forgets where a peak was; it is here to show what that costs.
    """

    n_features: int = 1
    n_bins: int = 4096
    n_classes: int = 20
    base_width: int = 64

    @property
    def work(self) -> float:
        """Rough multiply-adds per spectrum."""
        return 5e8 * (self.n_bins / 4096) * (self.base_width / 64) ** 2

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "resnet", **dataclasses.asdict(self)}


NetworkConfig = ViTConfig | ResNetConfig


def config_from_dict(values: dict[str, Any]) -> NetworkConfig:
    """The inverse of ``to_dict`` of either configuration.

    Raises
    ------
    SettingsError
        If the kind or a field is unknown.
    """
    kinds = {"vit": ViTConfig, "resnet": ResNetConfig}
    fields = dict(values)
    kind = kinds.get(fields.pop("kind", None))
    if kind is None:
        raise SettingsError(f"unknown kind of network {values.get('kind')!r}")
    unknown = set(fields) - {f.name for f in dataclasses.fields(kind)}
    if unknown:
        raise SettingsError(f"unknown network settings {sorted(unknown)}")
    return kind(**fields)


def preset_config(preset: Preset, n_classes: int) -> NetworkConfig:
    """The configuration behind a preset's name.

    ``thesis``: METHOD 3.2, 106,004 weights at 20 classes. ``compact``: 64 tokens of 16 bins,
    chosen for speed. ``resnet``: thesis 2.2.1.
    """
    if preset == "thesis":
        return ViTConfig(n_classes=n_classes)
    if preset == "compact":
        return ViTConfig(
            n_features=3,
            n_bins=1024,
            n_classes=n_classes,
            patch=16,
            width=64,
            heads=2,
            depth=4,
            mlp=128,
            dropout=0.0,
            stem="conv",
            stem_width=32,
            activation="relu",
        )
    if preset == "resnet":
        return ResNetConfig(n_classes=n_classes)
    raise SettingsError(f"there is no preset {preset!r}", "Use compact, thesis or resnet.")


def _activation(config: ViTConfig) -> nn.Module:
    return nn.GELU() if config.activation == "gelu" else nn.ReLU()


class Block(nn.Module):
    """Pre-norm encoder block: attention and perceptron, each added to what came in."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm_attention = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.norm_mlp = nn.LayerNorm(config.width)
        self.rise = nn.Linear(config.width, config.mlp)
        self.fall = nn.Linear(config.mlp, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.activate = _activation(config)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, tokens, width))
        hidden = self.dropout(self.activate(self.rise(self.norm_mlp(x))))
        return x + self.dropout(self.fall(hidden))


class ConvStem(nn.Module):
    """Two overlapping strided convolutions: (n, feature, bin) → (n, token, width)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        first, second = config.patch // 4, 4
        self.first = nn.Conv1d(
            config.n_features, config.stem_width, 2 * first + 1, stride=first, padding=first
        )
        self.second = nn.Conv1d(
            config.stem_width, config.width, 2 * second + 1, stride=second, padding=second
        )
        self.activate = _activation(config)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activate(self.first(x))
        # In one piece: what follows reads tokens row by row.
        return self.second(x).transpose(1, 2).contiguous()


class PatchStem(nn.Module):
    """Each patch of bins through one linear map: (n, feature, bin) → (n, token, width)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(
            config.n_features, config.width, config.patch, stride=config.patch, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.embed(x).transpose(1, 2)


class ViT(nn.Module):
    """Stem, learned positions, encoder blocks, all tokens flattened into one linear layer."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = ConvStem(config) if config.stem == "conv" else PatchStem(config)
        self.position = nn.Parameter(torch.empty(config.n_tokens, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.n_tokens * config.width, config.n_classes)
        self.hidden = None
        if config.head_width:
            self.hidden = nn.Sequential(
                nn.Linear(config.n_tokens * config.width, config.head_width),
                _activation(config),
                nn.Linear(config.head_width, config.n_classes, bias=False),
            )
        nn.init.normal_(self.position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (n, class) for input of shape (n, feature, bin)."""
        tokens = self.stem(x) + self.position
        for block in self.blocks:
            tokens = block(tokens)
        everything = self.norm(tokens).flatten(1)
        logits = self.head(everything)
        return logits if self.hidden is None else logits + self.hidden(everything)


class Bottleneck(nn.Module):
    """ResNet-50's residual unit in one dimension."""

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = 4 * width
        self.body = nn.Sequential(
            nn.Conv1d(n_in, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Conv1d(width, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Conv1d(width, n_out, 1, bias=False),
            nn.BatchNorm1d(n_out),
        )
        self.shortcut = (
            nn.Identity()
            if n_in == n_out and stride == 1
            else nn.Sequential(
                nn.Conv1d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm1d(n_out)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-50-1D with global average pooling."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.base_width
        self.stem = nn.Sequential(
            nn.Conv1d(config.n_features, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(3, stride=2, padding=1),
        )
        units: list[nn.Module] = []
        n_in = width
        for stage, n_units in enumerate((3, 4, 6, 3)):
            stage_width = width << stage
            for unit in range(n_units):
                stride = 2 if unit == 0 and stage > 0 else 1
                units.append(Bottleneck(n_in, stage_width, stride))
                n_in = 4 * stage_width
        self.units = nn.Sequential(*units)
        self.head = nn.Linear(n_in, config.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (n, class) for input of shape (n, feature, bin)."""
        return self.head(self.units(self.stem(x)).mean(dim=2))


def build(config: NetworkConfig) -> nn.Module:
    """A network with fresh weights, giving logits (n, class)."""
    return ViT(config) if isinstance(config, ViTConfig) else ResNet(config)


def n_weights(network: nn.Module) -> int:
    """Number of learned values."""
    return sum(p.numel() for p in network.parameters())


def with_scaled_logits(
    weights: dict[str, Tensor], slope: np.ndarray, shift: np.ndarray
) -> dict[str, Tensor]:
    """Weights of a network that gives slope·logit + shift; ``weights`` are left as they are.

    Parameters
    ----------
    slope, shift : ndarray, shape (class,)
    """
    steeper, moved = (torch.from_numpy(np.asarray(v)).to(torch.float32) for v in (slope, shift))
    scaled = {name: value.detach().cpu().clone() for name, value in weights.items()}
    for name in ("head.weight", "hidden.2.weight"):
        if name in scaled:
            scaled[name] *= steeper[:, None]
    scaled["head.bias"] = scaled["head.bias"] * steeper + moved
    return scaled


def widened(weights: dict[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Weights of a network that reads fewer features, for one that reads more.

    What the first features say stays; the further ones begin without any weight.

    Parameters
    ----------
    weights : dict
        Left as they are.
    config : ViTConfig
        Of the network to begin.

    Raises
    ------
    SettingsError
        If the two differ in anything else.
    """
    wanted = build(config).state_dict()
    if wanted.keys() != weights.keys():
        raise SettingsError("the weights to begin with belong to another design of network")
    begun = {}
    for name, value in wanted.items():
        given = weights[name].detach().to(value.dtype)
        if given.shape != value.shape:
            if not name.startswith("stem.") or value.ndim != 3 or given.ndim != 3:
                raise SettingsError(f"the weights to begin with differ in {name}")
            more = torch.zeros_like(value)
            more[:, : given.shape[1]] = given
            given = more
        begun[name] = given.clone()
    return begun
