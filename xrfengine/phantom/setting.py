"""What surrounds the sitter: canvas, ground, sky, landscape, parapet, lemon, and retouching."""

from __future__ import annotations

import numpy as np

from xrfengine.phantom.brushes import HEIGHT, Mix, ramp, smoothstep
from xrfengine.phantom.easel import AREAS, Easel

SKY_DEEP: Mix = {"azurite": 0.66, "lead white": 0.26, "smalt": 0.08}
SKY_MID: Mix = {"azurite": 0.34, "lead white": 0.60, "smalt": 0.06}
SKY_PALE: Mix = {"lead white": 0.93, "azurite": 0.05, "smalt": 0.04}
SKY_WARM: Mix = {"lead white": 0.965, "lead-tin yellow": 0.02, "red ochre": 0.008}


def canvas_and_ground(easel: Easel) -> None:
    """Canvas with threads of uneven thickness, chalk ground, thin grey-brown imprimatura."""
    b = easel.board
    threads = 130  # over the width: some 10 a cm on a panel of 13 cm
    rng = b.rng("threads")
    warp, weft = rng.standard_normal(threads + 1), rng.standard_normal(int(threads * HEIGHT) + 1)
    thread_x = np.interp(b.x[0] * threads, np.arange(threads + 1), warp)
    thread_y = np.interp(b.y[:, 0] / HEIGHT * (len(weft) - 1), np.arange(len(weft)), weft)
    weave = (thread_x[None, :] + thread_y[:, None]).astype(np.float32)
    easel.lay("canvas", 1.0, {"canvas": 1.0}, 420.0 * (1.0 + 0.05 * weave))
    # The ground fills the valleys of the weave: thin on thick threads.
    unevenness = np.clip(1.0 - 0.06 * weave + 0.08 * b.fbm("ground", 0.3, 0.3), 0.5, 1.6)
    easel.lay("ground", 1.0, {"chalk": 1.0}, 85.0 * unevenness)
    imprimatura: Mix = {"lead white": 0.62, "yellow ochre": 0.28, "umber": 0.06, "bone black": 0.04}
    easel.lay("ground", 1.0, imprimatura, 6.0 * unevenness, wet=False)


def landscape(easel: Easel) -> None:
    """Sky with evening clouds, blue mountains, hills, a river, trees and a tower."""
    b = easel.board
    drift = 0.02 * b.fbm("drift", 0.5, 0.2)
    tone = np.clip(1.02 * (b.y + drift) / 0.92, 0.0, 1.0) ** 1.15
    marks = b.bristle(0.25 * b.fbm("wind", 0.4, 0.3), "sky bristle", 0.09)
    tone = np.clip(tone + 0.035 * marks, 0.0, 1.0)
    easel.lay("paint", 1.0, ramp(tone, SKY_DEEP, SKY_MID, SKY_PALE, SKY_WARM), 34.0, "sky")
    easel.brush_along(np.ones(b.shape), 0.25 * b.fbm("wind", 0.4, 0.3))
    easel.sky_tone = tone
    _clouds(easel)

    def ridge(tag: str, height: float, rough: float, octave: float) -> np.ndarray:
        line = height + rough * b.fbm(tag, octave, 50.0, 0.0, 5)
        return smoothstep(-0.004, 0.004, b.y - line)

    far = ridge("far", 0.835, 0.050, 0.24)
    depth = np.clip((b.y - 0.76) / 0.16, 0, 1) + 0.06 * b.fbm("crag", 0.05, 0.11, 25)
    easel.lay(
        "paint", far,
        ramp(depth, {"lead white": 0.50, "azurite": 0.34, "smalt": 0.16},
             {"lead white": 0.66, "azurite": 0.25, "smalt": 0.09},
             {"lead white": 0.86, "azurite": 0.13, "lead-tin yellow": 0.02}),
        30.0, "mountains",
    )  # fmt: skip
    middle = ridge("middle", 0.925, 0.030, 0.30)
    depth = np.clip((b.y - 0.89) / 0.10, 0, 1) + 0.12 * b.fbm("fields", 0.14, 0.014, -6)
    easel.lay(
        "paint", middle,
        ramp(depth, {"malachite": 0.42, "lead white": 0.36, "azurite": 0.24},
             {"malachite": 0.52, "lead white": 0.26, "lead-tin yellow": 0.12, "yellow ochre": 0.14},
             {"malachite": 0.46, "yellow ochre": 0.44, "lead-tin yellow": 0.10}),
        30.0, "hills",
    )  # fmt: skip
    bend = 0.16 + 0.10 * np.sin((b.y - 0.93) * 22.0)
    river = smoothstep(1.0, 0.8, np.abs(b.x - bend) / (0.004 + 0.36 * np.clip(b.y - 0.945, 0, 1)))
    river = river * smoothstep(0.945, 0.952, b.y)
    glint = np.clip(0.62 + 0.22 * b.noise("ripple", 0.10, 0.008), 0, 1)
    water = ramp(
        glint, {"azurite": 0.50, "lead white": 0.46, "malachite": 0.06}, SKY_PALE, SKY_WARM
    )
    near = ridge("near", 1.06, 0.030, 0.34)
    depth = np.clip((b.y - 1.03) / 0.2, 0, 1) + 0.16 * b.fbm("meadow", 0.10, 0.02, 8)
    meadow = ramp(
        depth,
        {"malachite": 0.44, "lead-tin yellow": 0.10, "yellow ochre": 0.46},
        {"verdigris": 0.42, "yellow ochre": 0.52, "lead-tin yellow": 0.06},
        {"verdigris": 0.50, "umber": 0.22, "yellow ochre": 0.32},
    )
    easel.lay("paint", near, meadow, 30.0, "hills")
    easel.lay("paint", river, water, 28.0, "water")
    _tower(easel)
    _trees(easel)
    _parapet(easel)


def _clouds(easel: Easel) -> None:
    """Summer clouds lit from the left, flat below, in banks that grow towards the viewer."""
    b = easel.board
    rng = b.rng("banks")
    for x, y, width, height in ((0.86, 0.370, 0.26, 0.130), (0.10, 0.215, 0.25, 0.105),
                                (0.88, 0.640, 0.22, 0.070), (0.10, 0.690, 0.24, 0.050),
                                (0.50, 0.105, 0.17, 0.052),
                                (0.19, 0.455, 0.13, 0.044)):  # fmt: skip
        n = 60
        side = np.clip(rng.standard_normal(n) * 0.45, -1, 1)
        lift = rng.random(n) ** 1.3 * (1.0 - side**2) ** 0.7
        centres = np.stack([x + width * side, y - height * lift], axis=1)
        radii = height * (0.16 + 0.24 * rng.random(n)) * (1.0 - 0.5 * np.abs(side))
        puffs = b.blur(b.discs(centres, radii), 0.10 * height)
        puffs = puffs * smoothstep(y + 0.30 * height, y - 0.05 * height, b.y)
        frayed = puffs * np.clip(0.95 + 0.30 * b.fbm("fray", 0.09, 0.03, 0, 4), 0, 1)
        lit = b.relief(puffs, 0.75 * height, (-0.55, -0.75, 0.35))
        easel.lay(
            "paint", 0.95 * frayed,
            ramp(0.25 + 0.9 * lit,
                 {"lead white": 0.90, "smalt": 0.07, "azurite": 0.03, "red ochre": 0.012},
                 {"lead white": 0.955, "red ochre": 0.005, "smalt": 0.03, "yellow ochre": 0.012},
                 {"lead white": 0.985, "lead-tin yellow": 0.015}),
            38.0,
        )  # fmt: skip


def _tower(easel: Easel) -> None:
    b = easel.board

    def box(x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
        inside = smoothstep(x0 - 0.003, x0 + 0.003, b.x) * smoothstep(x1 + 0.003, x1 - 0.003, b.x)
        return inside * smoothstep(y0 - 0.003, y0 + 0.003, b.y) * (b.y < y1)

    wall = np.maximum.reduce(
        [
            box(0.045, 0.073, 0.80, 0.93),
            box(0.07, 0.125, 0.865, 0.935),
            box(0.122, 0.14, 0.84, 0.93),
        ]
    )
    stone = ramp(
        np.clip((b.x - 0.05) / 0.03 % 1.0, 0, 1),
        {"lead white": 0.78, "yellow ochre": 0.22, "lead-tin yellow": 0.05},
        {"yellow ochre": 0.62, "lead white": 0.22, "umber": 0.20},
    )
    easel.lay("paint", wall, stone, 30.0, "hills")
    roofs = np.maximum.reduce(
        [
            b.shape_of([(0.038, 0.802), (0.059, 0.762), (0.080, 0.802), (0.059, 0.804)]),
            b.shape_of([(0.066, 0.868), (0.078, 0.848), (0.118, 0.848), (0.128, 0.868)]),
            b.shape_of([(0.116, 0.842), (0.131, 0.812), (0.146, 0.842)]),
        ]
    )
    easel.lay("paint", roofs, {"vermilion": 0.55, "red ochre": 0.45}, 26.0, "hills")


def _trees(easel: Easel) -> None:
    b = easel.board
    rng = b.rng("trees")
    spots = [(0.205, 1.03, 0.030, 0.115), (0.31, 0.985, 0.016, 0.055), (0.055, 1.04, 0.036, 0.10),
             (0.345, 0.98, 0.013, 0.04), (0.93, 0.985, 0.028, 0.14), (0.865, 0.945, 0.014, 0.065),
             (0.985, 0.96, 0.026, 0.11), (0.255, 0.965, 0.012, 0.04)]  # fmt: skip
    for x, foot, width, height in spots:
        trunk = b.line([(x, foot + 0.015), (x + 0.002, foot - 0.6 * height)], [0.010, 0.004])
        easel.lay("paint", trunk, {"umber": 0.8, "bone black": 0.2}, 24.0, "trees")
        n = int(60 + 900 * height)
        # Leaves lie in an egg: wide in the middle, loose at the rim.
        up = rng.beta(1.7, 1.5, n)
        side = rng.standard_normal(n) * 0.42 * np.sin(np.pi * np.clip(up, 0.08, 0.95)) ** 0.6
        centres = np.stack([x + side * width, foot - height * (0.15 + 0.95 * up)], axis=1)
        radii = 0.10 * width + 0.0022 + 0.002 * rng.random(n)
        leaves = b.discs(centres, radii)
        easel.lay(
            "paint", 0.95 * leaves, {"verdigris": 0.58, "umber": 0.26, "bone black": 0.16}, 28.0,
            "trees",
        )  # fmt: skip
        lit = (side < 0.05) & (rng.random(n) < 0.45)
        light = b.discs(centres[lit] - [0.10 * width, 0.004], 0.62 * radii[lit])
        easel.lay(
            "paint", 0.8 * light, {"malachite": 0.45, "lead-tin yellow": 0.30, "verdigris": 0.25},
            28.0,
        )  # fmt: skip


def _parapet(easel: Easel) -> None:
    b = easel.board
    top = smoothstep(1.268, 1.272, b.y)
    front = smoothstep(1.306, 1.309, b.y)
    veins = smoothstep(0.93, 1.0, 1.0 - np.abs(b.fbm("vein", 0.30, 0.12, 35, 5)))
    light = np.clip(0.80 - 0.40 * (b.x - 0.2) + 0.08 * b.fbm("stone", 0.2, 0.05), 0, 1)
    slab: tuple[Mix, ...] = (
        {"umber": 0.45, "bone black": 0.10, "lead white": 0.45},
        {"lead white": 0.72, "yellow ochre": 0.17, "umber": 0.11},
        {"lead white": 0.93, "yellow ochre": 0.065, "bone black": 0.006},
    )
    easel.lay("paint", top, ramp(light - 0.25 * veins + 0.08, *slab), 32.0, "parapet")
    easel.lay("paint", front, ramp(light - 0.25 * veins - 0.34, *slab), 32.0, "parapet")
    letters = b.text("VIDE · LATENTIA", 0.52, 1.355, 0.056)
    lower = b.text("VIDE · LATENTIA", 0.5225, 1.3575, 0.056)
    easel.lay("paint", 0.7 * lower, slab[2], 34.0)
    easel.lay("paint", letters, {"umber": 0.7, "bone black": 0.3}, 30.0)
    easel.brush_along(top, 0.0)


def lemon(easel: Easel) -> None:
    """A lemon with its leaf on the parapet: orpiment glazed over lead-tin yellow."""
    b = easel.board
    shadow = b.blob(0.245, 1.290, 0.075, 0.010)
    easel.lay("paint", 0.75 * shadow, {"umber": 0.6, "bone black": 0.4}, 30.0)
    leaf = b.shape_of([(0.145, 1.205), (0.115, 1.178), (0.065, 1.172), (0.030, 1.192),
                       (0.075, 1.215), (0.118, 1.220)])  # fmt: skip
    vein = b.line([(0.148, 1.206), (0.09, 1.192), (0.035, 1.191)], [0.006, 0.004, 0.002])
    easel.lay("paint", leaf, {"verdigris": 0.62, "malachite": 0.30, "bone black": 0.07}, 28.0,
              "lemon")  # fmt: skip
    easel.lay("paint", 0.8 * vein, {"malachite": 0.4, "lead-tin yellow": 0.6}, 26.0)
    body = b.shape_of([(0.118, 1.232), (0.140, 1.205), (0.178, 1.180), (0.222, 1.178),
                       (0.262, 1.200), (0.280, 1.222), (0.300, 1.232), (0.286, 1.246),
                       (0.268, 1.268), (0.230, 1.288), (0.180, 1.288), (0.143, 1.266),
                       (0.128, 1.248)])  # fmt: skip
    light = b.relief(body, 0.055, (-0.55, -0.65, 0.55)) + 0.05 * b.noise("peel", 0.010, 0.010)
    easel.lay(
        "paint", body,
        ramp(1.12 * light - 0.12, {"orpiment": 0.50, "umber": 0.50},
             {"orpiment": 0.88, "yellow ochre": 0.14},
             {"orpiment": 0.70, "lead-tin yellow": 0.32},
             {"lead-tin yellow": 0.72, "lead white": 0.30}),
        34.0, "lemon",
    )  # fmt: skip
    easel.lay("paint", 0.8 * b.blob(0.180, 1.205, 0.012, 0.007, -20), {"lead white": 1.0}, 40.0)
    easel.brush_along(body, np.arctan2(b.x - 0.205, -(b.y - 1.235)))


def retouching(easel: Easel) -> None:
    """Losses filled and toned by restorers: 19th century (zinc), then 20th (titanium, cadmium)."""
    b = easel.board

    def loss(tag: str, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
        spot = b.blob(x, y, rx, ry, angle)
        edge = spot + 0.22 * b.fbm(f"loss {tag}", 0.06, 0.05) * smoothstep(0.05, 0.4, spot)
        return smoothstep(0.44, 0.52, edge)

    retouch_area = AREAS.index("retouching")
    lower = [easel.films[i] for i in range(2, len(easel.films) - 1)]

    def fill(mask: np.ndarray, mix: Mix, putty: float) -> None:
        # Where paint was lost a putty of chalk fills the hole before the colour goes on.
        for films in lower:
            films *= (1.0 - putty * mask)[..., None]
        easel.lay("retouching", putty * mask, {"chalk": 1.0}, 60.0)
        easel.lay("retouching", mask, mix, 24.0, wet=False)
        easel.areas[mask > 0.5] = retouch_area

    # The restorer matched the sky around the loss, a little too grey.
    sky = ramp(
        easel.sky_tone,
        {"cobalt blue": 0.87, "titanium white": 0.10, "bone black": 0.02},
        {"cobalt blue": 0.62, "titanium white": 0.36, "yellow ochre": 0.02},
        {"cobalt blue": 0.20, "titanium white": 0.78, "yellow ochre": 0.02},
        {"titanium white": 0.96, "yellow ochre": 0.04},
    )
    fill(loss("sky", 0.86, 0.14, 0.075, 0.042, -25), sky, 0.85)
    fill(loss("corner", 0.02, 0.33, 0.035, 0.065, 10), sky, 0.85)
    fill(loss("dress", 0.405, 1.075, 0.036, 0.046, 30),
         {"cadmium red": 0.97, "red ochre": 0.05}, 0.8)  # fmt: skip
    fill(loss("meadow", 0.245, 1.10, 0.040, 0.026, 0),
         {"viridian": 0.36, "yellow ochre": 0.52, "umber": 0.10, "zinc white": 0.03},
         0.8)  # fmt: skip
    # An old tear, toned with zinc white.
    tear = b.line([(0.74, 0.00), (0.755, 0.05), (0.748, 0.10), (0.77, 0.16), (0.765, 0.205)],
                  [0.010, 0.016, 0.011, 0.014, 0.005])  # fmt: skip
    older = ramp(
        easel.sky_tone,
        {"cobalt blue": 0.82, "zinc white": 0.18},
        {"cobalt blue": 0.5, "zinc white": 0.5},
    )
    fill(tear, older, 0.9)
