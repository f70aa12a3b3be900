"""A copy of a network that multiplies in bfloat16 where that keeps its answers."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xrfengine.classifier.network import Block
from xrfengine.cube import Calibration

TRIAL = Calibration(0.0, 0.02)
"""Of :func:`trial_spectra`."""


def trial_spectra(n: int) -> np.ndarray:
    """Counts of peaks on a continuum, dim to bright: what half precision is tried on.

    Returns
    -------
    ndarray of uint32, shape (n, 2048)
        The same each time; 100 to 300,000 counts a spectrum.
    """
    rng = np.random.default_rng(0)
    energy = TRIAL.energy_kev(2048)
    rate = np.tile(np.exp(-energy / 12.0) + 1e-3, (n, 1))
    for _ in range(5):
        at, height = rng.uniform(1.0, 20.0, (n, 1)), rng.lognormal(1.0, 1.5, (n, 1))
        rate += height * np.exp(-0.5 * ((energy - at) / 0.07) ** 2)
    rate *= 10.0 ** rng.uniform(2.0, 5.5, (n, 1)) / rate.sum(axis=1, keepdims=True)
    return rng.poisson(rate).astype(np.uint32)


class _HalfBlock(nn.Module):
    """An encoder block whose products are of bfloat16, its norms and sums of float32.

    What :func:`torch.autocast` would make of it, less the copies; and on a processor the attention
    of so few tokens is quicker as two plain products.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.heads = block.heads
        self.norm_attention, self.norm_mlp = block.norm_attention, block.norm_mlp
        self.qkv, self.out, self.rise, self.fall = (
            copy.deepcopy(linear) for linear in (block.qkv, block.out, block.rise, block.fall)
        )
        self.activate = nn.ReLU(inplace=True) if isinstance(block.activate, nn.ReLU) else None
        self.activate = self.activate or block.activate
        width = block.qkv.in_features
        # Queries come scaled, as the attention wants them.
        with torch.no_grad():
            self.qkv.weight[:width] *= (width // self.heads) ** -0.5
            self.qkv.bias[:width] *= (width // self.heads) ** -0.5
        for linear in (self.qkv, self.out, self.rise, self.fall):
            linear.to(torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            x = x + self.out(self._mixed(self.norm_attention(x).bfloat16()))
            hidden = self.activate(self.rise(self.norm_mlp(x).bfloat16()))
            return x.add_(self.fall(hidden))

    def _mixed(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        each = width // self.heads
        qkv = self.qkv(x).view(n, tokens, 3, self.heads, each).permute(2, 0, 3, 1, 4)
        if x.device.type == "cuda":
            mixed = F.scaled_dot_product_attention(*qkv, scale=1.0)
        else:
            q, k, v = (part.reshape(n * self.heads, tokens, each) for part in qkv)
            mixed = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)
        return mixed.view(n, self.heads, tokens, each).transpose(1, 2).reshape(n, tokens, width)


class _FullPrecision(nn.Module):
    """A part that half precision would cost its answers."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return self.inner(x.float())


class HalfPrecision(nn.Module):
    """A copy of a network whose blocks multiply in bfloat16.

    bfloat16 has eight bits: logarithms of counts would lose a hundredth, more than a weak peak on
    a bright background. Stem and head therefore stay in float32, as do the sums between blocks
    and the norms; only products within the blocks are rounded. Networks without blocks are left
    as they are.

    Attributes
    ----------
    is_half : bool
        Whether it differs from the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        blocks = getattr(self.network, "blocks", None)
        self.is_half = blocks is not None and hasattr(network, "stem") and hasattr(network, "head")
        if self.is_half:
            for place, block in enumerate(blocks):
                if type(block) is Block:
                    blocks[place] = _HalfBlock(block)
            self.network.stem = _FullPrecision(self.network.stem)
            self.network.head = _FullPrecision(self.network.head)
            if getattr(self.network, "hidden", None) is not None:
                self.network.hidden = _FullPrecision(self.network.hidden)

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_half:
            return self.network(x)
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return self.network(x).float()
