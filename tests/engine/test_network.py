"""The networks: their sizes, shapes, and that attention is attention."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from xrfengine.classifier.network import (
    ResNetConfig,
    ViTConfig,
    build,
    config_from_dict,
    n_weights,
    preset_config,
    with_scaled_logits,
)
from xrfengine.errors import SettingsError
from xrfengine.lines import ELEMENTS


def test_thesis_has_exactly_the_weights_of_its_hyperparameters():
    config = preset_config("thesis", 20)
    assert (config.n_bins, config.patch, config.width, config.heads) == (4096, 16, 16, 8)
    assert (config.depth, config.mlp, config.dropout, config.stem) == (6, 64, 0.1, "patch")
    assert n_weights(build(config)) == 106_004


def test_compact_knows_71_elements_and_stays_below_8_megabytes():
    network = build(preset_config("compact", len(ELEMENTS)))
    assert len(ELEMENTS) == 71
    assert network(torch.zeros(2, 3, 1024)).shape == (2, 71)
    assert 4 * n_weights(network) < 8_000_000


def test_resnet_has_the_depth_of_resnet50_and_forgets_where_peaks_are():
    network = build(preset_config("resnet", 20)).eval()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv1d)]
    shortcuts = 4
    assert len(convolutions) - shortcuts + 1 == 50
    small = build(ResNetConfig(n_bins=1024, base_width=8)).eval()
    peak = torch.zeros(1, 1, 1024)
    peak[..., 480:490] = 1.0
    with torch.inference_mode():
        here, there = small(peak), small(peak.roll(64, dims=2))
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-5)


def test_vit_sees_where_a_peak_is():
    torch.manual_seed(0)
    network = build(ViTConfig(n_bins=256, depth=1)).eval()
    peak = torch.zeros(1, 1, 256)
    peak[..., 60:70] = 1.0
    with torch.inference_mode():
        assert (network(peak) - network(peak.roll(64, dims=2))).abs().max() > 1e-3


def test_block_equals_torchs_own_encoder_layer():
    config = ViTConfig(dropout=0.0, depth=1)
    block = build(config).blocks[0].eval()
    peer = torch.nn.TransformerEncoderLayer(
        config.width, config.heads, config.mlp, 0.0, "gelu", batch_first=True, norm_first=True
    ).eval()
    peer.load_state_dict(
        {
            "self_attn.in_proj_weight": block.qkv.weight,
            "self_attn.in_proj_bias": block.qkv.bias,
            "self_attn.out_proj.weight": block.out.weight,
            "self_attn.out_proj.bias": block.out.bias,
            "linear1.weight": block.rise.weight,
            "linear1.bias": block.rise.bias,
            "linear2.weight": block.fall.weight,
            "linear2.bias": block.fall.bias,
            "norm1.weight": block.norm_attention.weight,
            "norm1.bias": block.norm_attention.bias,
            "norm2.weight": block.norm_mlp.weight,
            "norm2.bias": block.norm_mlp.bias,
        }
    )
    tokens = torch.randn(3, 32, config.width)
    with torch.no_grad():
        torch.testing.assert_close(block(tokens), peer(tokens), rtol=1e-4, atol=1e-5)


def test_batched_equals_single():
    torch.manual_seed(1)
    network = build(preset_config("compact", 71)).eval()
    x = torch.rand(17, 3, 1024)
    with torch.inference_mode():
        single = torch.cat([network(x[i : i + 1]) for i in range(len(x))])
        torch.testing.assert_close(network(x), single, rtol=1e-4, atol=1e-5)


def test_configurations_travel_as_plain_values():
    for preset in ("thesis", "compact", "resnet"):
        config = preset_config(preset, 7)
        assert config_from_dict(config.to_dict()) == config
        assert config.work > 0
    with pytest.raises(SettingsError, match="kind"):
        config_from_dict({"kind": "tree"})
    with pytest.raises(SettingsError, match="unknown"):
        config_from_dict({"kind": "vit", "leaves": 3})
    with pytest.raises(SettingsError, match="preset"):
        preset_config("huge", 3)
    with pytest.raises(SettingsError, match="remainder"):
        dataclasses.replace(preset_config("thesis", 20), patch=17)


def test_a_hidden_layer_in_the_head_adds_to_the_linear_one():
    torch.manual_seed(3)
    config = dataclasses.replace(preset_config("compact", 5), depth=1, head_width=16, n_features=4)
    network = build(config).eval()
    assert config.work > dataclasses.replace(config, head_width=0).work
    x = torch.rand(3, 4, 1024)
    with torch.inference_mode():
        both = network(x)
        hidden, network.hidden = network.hidden, None
        linear = network(x)
        tokens = network.norm(network.blocks[0](network.stem(x) + network.position)).flatten(1)
        torch.testing.assert_close(both, linear + hidden(tokens))
    assert (both - linear).abs().max() > 1e-3


@pytest.mark.parametrize("head_width", [0, 8])
def test_scaled_logits(head_width):
    torch.manual_seed(5)
    network = build(dataclasses.replace(preset_config("compact", 4), head_width=head_width)).eval()
    slope, shift = np.array([1.2, 0.5, 2.0, 1.0]), np.array([0.3, -1.0, 0.0, 2.0])
    x, before = torch.rand(3, 3, 1024), {k: v.clone() for k, v in network.state_dict().items()}
    with torch.inference_mode():
        expected = network(x).numpy() * slope + shift
    scaled = with_scaled_logits(network.state_dict(), slope, shift)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    network.load_state_dict(scaled)
    with torch.inference_mode():
        np.testing.assert_allclose(network(x).numpy(), expected, atol=1e-5)
