"""The two sitters: the lady in profile, and the man in a red cap who was painted out."""

from __future__ import annotations

import numpy as np

from xrfengine.phantom.brushes import HEIGHT, Mix, Points, ramp, smoothstep
from xrfengine.phantom.easel import Easel

_FACE: Points = [
    (0.420, 0.262), (0.388, 0.300), (0.372, 0.340), (0.367, 0.380), (0.369, 0.404), (0.376, 0.422),
    (0.364, 0.448), (0.347, 0.478), (0.336, 0.499), (0.338, 0.511), (0.352, 0.518), (0.363, 0.522),
    (0.361, 0.533), (0.352, 0.545), (0.352, 0.553), (0.362, 0.558), (0.355, 0.565), (0.356, 0.575),
    (0.367, 0.584), (0.368, 0.594), (0.361, 0.610), (0.364, 0.628), (0.380, 0.643), (0.405, 0.648),
    (0.432, 0.654), (0.449, 0.668), (0.456, 0.700), (0.455, 0.750), (0.446, 0.795), (0.425, 0.830),
    (0.390, 0.865), (0.400, 0.960), (0.560, 0.985), (0.690, 0.930), (0.705, 0.862), (0.650, 0.825),
    (0.622, 0.780), (0.612, 0.720), (0.615, 0.650), (0.630, 0.560), (0.610, 0.440), (0.550, 0.310),
    (0.480, 0.262),
]  # fmt: skip

_HAIR: Points = [
    (0.418, 0.268), (0.405, 0.300), (0.432, 0.322), (0.462, 0.358), (0.476, 0.402), (0.480, 0.448),
    (0.496, 0.500), (0.512, 0.470), (0.540, 0.462), (0.556, 0.490), (0.548, 0.530), (0.560, 0.562),
    (0.598, 0.590), (0.640, 0.592), (0.680, 0.560), (0.712, 0.500), (0.722, 0.430), (0.706, 0.350),
    (0.664, 0.282), (0.600, 0.236), (0.530, 0.216), (0.464, 0.228),
]  # fmt: skip

_BUST: Points = [
    (0.420, 0.835), (0.384, 0.872), (0.352, 0.920), (0.326, 0.975), (0.316, 1.030), (0.330, 1.085),
    (0.345, 1.150), (0.345, 1.290), (0.560, 1.310), (0.985, 1.300), (1.000, 1.200), (0.985, 1.080),
    (0.945, 0.990), (0.880, 0.925), (0.800, 0.880), (0.715, 0.850), (0.665, 0.838), (0.690, 0.900),
    (0.640, 0.945), (0.560, 0.955), (0.480, 0.925), (0.440, 0.870),
]  # fmt: skip

_SLEEVE: Points = [
    (0.690, 0.880), (0.740, 0.855), (0.820, 0.872), (0.905, 0.925), (0.970, 1.000), (1.015, 1.120),
    (1.030, 1.310), (0.640, 1.310), (0.600, 1.270), (0.590, 1.190), (0.605, 1.090), (0.635, 0.980),
]  # fmt: skip

SKIN_DARK: Mix = {"lead white": 0.62, "red ochre": 0.13, "umber": 0.15, "malachite": 0.06}
SKIN_HALF: Mix = {"lead white": 0.91, "red ochre": 0.030, "yellow ochre": 0.045, "malachite": 0.02}
SKIN_LIGHT: Mix = {"lead white": 0.95, "vermilion": 0.014, "yellow ochre": 0.035}
SKIN_PALE: Mix = {"lead white": 0.98, "vermilion": 0.004, "lead-tin yellow": 0.02}


def first_portrait(easel: Easel) -> None:
    """The man who faced her, painted out with sky and hills; seen by X-rays only."""
    b = easel.board

    def at(points: Points) -> Points:
        return [(0.72 * x - 0.128, 0.72 * y + 0.125) for x, y in points]

    face = b.shape_of(at([
        (0.335, 0.305), (0.480, 0.285), (0.520, 0.315), (0.536, 0.365), (0.530, 0.395),
        (0.545, 0.425), (0.572, 0.468), (0.588, 0.498), (0.580, 0.512), (0.556, 0.518),
        (0.556, 0.534), (0.566, 0.548), (0.556, 0.560), (0.562, 0.574), (0.550, 0.588),
        (0.560, 0.616), (0.552, 0.646), (0.520, 0.662), (0.470, 0.665), (0.445, 0.690),
        (0.440, 0.760), (0.470, 0.830), (0.300, 0.860), (0.250, 0.780), (0.262, 0.640),
        (0.270, 0.480), (0.290, 0.360),
    ]), 0.004)  # fmt: skip
    coat = b.shape_of(at([
        (0.250, 0.760), (0.160, 0.830), (0.050, 0.900), (-0.060, 1.050), (-0.08, 1.800),
        (0.600, 1.800), (0.690, 1.250), (0.640, 0.980), (0.550, 0.870), (0.455, 0.790),
        (0.400, 0.835), (0.300, 0.830),
    ]), 0.006)  # fmt: skip
    cap = b.shape_of(at([
        (0.225, 0.385), (0.200, 0.300), (0.215, 0.200), (0.285, 0.125), (0.390, 0.100),
        (0.500, 0.130), (0.560, 0.205), (0.560, 0.265), (0.500, 0.300), (0.400, 0.318),
        (0.310, 0.360), (0.262, 0.410),
    ]), 0.004)  # fmt: skip
    tail = b.shape_of(at([
        (0.215, 0.340), (0.262, 0.390), (0.262, 0.520), (0.225, 0.680), (0.170, 0.830),
        (0.110, 0.860), (0.120, 0.720), (0.170, 0.520),
    ]), 0.005)  # fmt: skip
    hair = b.shape_of(at([
        (0.270, 0.370), (0.350, 0.335), (0.375, 0.400), (0.370, 0.470), (0.350, 0.520),
        (0.345, 0.600), (0.305, 0.660), (0.255, 0.640), (0.245, 0.500),
    ]), 0.006)  # fmt: skip
    wide = b.bristle(0.8 + 0.5 * b.fbm("first", 0.3, 0.3), "first marks", 0.12)
    body = np.clip(1.0 + 0.28 * wide, 0.3, 2.0)
    folds = b.relief(coat, 0.12, (0.6, -0.5, 0.6)) + 0.18 * b.fbm("folds", 0.30, 0.05, 68)
    easel.lay("underpainting", coat,
              ramp(folds, {"bone black": 0.7, "umber": 0.3}, {"umber": 0.6, "verdigris": 0.4},
                   {"verdigris": 0.5, "lead-tin yellow": 0.3, "umber": 0.2}),
              20.0 * body)  # fmt: skip
    light = b.relief(face, 0.10, (0.65, -0.45, 0.65))
    features = (
        0.75 * b.blob(*at([(0.508, 0.420)])[0], 0.020, 0.011)
        + 0.45 * b.blob(*at([(0.530, 0.560)])[0], 0.022, 0.006)
        + 0.30 * b.blob(*at([(0.420, 0.645)])[0], 0.058, 0.015, -12)
        + 0.35 * b.blob(*at([(0.345, 0.760)])[0], 0.07, 0.036)
    )
    easel.lay("underpainting", face, ramp(light - features, SKIN_DARK, SKIN_HALF, SKIN_LIGHT,
              SKIN_PALE), (10.0 + 22.0 * np.clip(light - features, 0, 1)) * body)  # fmt: skip
    blush = face * b.blob(*at([(0.478, 0.520)])[0], 0.032, 0.026)
    easel.lay("underpainting", 0.6 * blush, {"lead white": 0.7, "vermilion": 0.3}, 26.0 * body)
    lips = b.line(at([(0.558, 0.560), (0.535, 0.561), (0.512, 0.566)]), [0.010, 0.012, 0.004])
    easel.lay("underpainting", lips, {"vermilion": 0.6, "lead white": 0.4}, 22.0)
    easel.lay("underpainting", hair, {"umber": 0.75, "bone black": 0.25}, 20.0 * body)
    fold = b.relief(cap, 0.08, (0.5, -0.7, 0.5)) + 0.25 * b.fbm("cap", 0.20, 0.05, -35)
    red = ramp(fold, {"red lake": 0.4, "vermilion": 0.4, "bone black": 0.2}, {"vermilion": 1.0},
               {"vermilion": 0.85, "lead white": 0.15})  # fmt: skip
    easel.lay("underpainting", tail, red, (10.0 + 14.0 * np.clip(fold, 0, 1)) * body)
    easel.lay("underpainting", cap, red, (10.0 + 20.0 * np.clip(fold, 0, 1)) * body)
    chain = np.array(at([(0.29, 0.845), (0.32, 0.885), (0.36, 0.92), (0.41, 0.945), (0.46, 0.95),
                         (0.50, 0.93), (0.53, 0.895)]))  # fmt: skip
    easel.lay("underpainting", b.discs(chain, np.full(len(chain), 0.0125)),
              {"lead-tin yellow": 1.0}, 30.0)  # fmt: skip


def lady(easel: Easel) -> None:
    """The visible sitter."""
    _dress(easel)
    _head(easel)
    _features(easel)
    _coiffure(easel)
    _jewels(easel)


def _dress(easel: Easel) -> None:
    b = easel.board
    bust = b.shape_of(_BUST)
    bust = bust * smoothstep(1.272, 1.268, b.y)
    folds = b.noise("dress folds", 0.60, 0.035, 82) * 0.10
    light = 0.14 + 0.86 * b.relief(bust, 0.10, (-0.7, -0.45, 0.55)) + folds
    easel.lay(
        "paint", bust,
        ramp(1.1 * light - 0.1, {"vermilion": 0.25, "bone black": 0.40, "red ochre": 0.35},
             {"vermilion": 0.62, "red ochre": 0.34, "bone black": 0.05}, {"vermilion": 1.0},
             {"vermilion": 0.84, "lead white": 0.10, "lead-tin yellow": 0.08}),
        30.0, "bodice",
    )  # fmt: skip
    easel.brush_along(bust, np.deg2rad(78))
    sleeve = b.shape_of(_SLEEVE) * smoothstep(1.272, 1.268, b.y)
    glaze = bust * (1.0 - sleeve) * smoothstep(0.62, 0.2, light)
    easel.lay("details", glaze, {"red lake": 1.0}, 8.0, wet=False)
    seam = np.clip(b.blur(sleeve, 0.012) - 0.15, 0, 1)
    folds = 0.14 * b.noise("sleeve folds", 0.34, 0.05, 62)
    light = (0.16 + 0.84 * b.relief(sleeve, 0.11, (-0.65, -0.5, 0.55))) * (
        0.65 + 0.4 * seam
    ) + folds
    easel.lay(
        "paint", sleeve,
        ramp(1.15 * light - 0.12, {"ultramarine": 0.50, "bone black": 0.50},
             {"ultramarine": 0.80, "azurite": 0.12, "bone black": 0.10},
             {"ultramarine": 0.62, "azurite": 0.22, "lead white": 0.16},
             {"ultramarine": 0.30, "azurite": 0.22, "lead white": 0.48}),
        30.0, "sleeve",
    )  # fmt: skip
    easel.brush_along(sleeve, np.deg2rad(62))
    pattern = _brocade(easel) * smoothstep(0.35, 0.75, b.blur(sleeve, 0.008)) * sleeve
    worn = smoothstep(-1.2, -0.3, b.fbm("wear", 0.03, 0.03))
    easel.lay("details", pattern, {"red ochre": 0.9, "yellow ochre": 0.1}, 6.0)
    easel.lay("details", pattern * worn, {"gold leaf": 1.0}, 0.45 * (0.35 + light), wet=False)
    shade = pattern * smoothstep(0.75, 0.15, light)
    easel.lay("details", shade, {"umber": 0.5, "red lake": 0.5}, 1.2, wet=False)
    easel.areas[pattern > 0.6] = easel.area_index("jewels")
    hem = b.line([(0.420, 0.838), (0.452, 0.884), (0.492, 0.926), (0.560, 0.950), (0.630, 0.942),
                  (0.680, 0.902), (0.668, 0.845)], [0.016] * 3)  # fmt: skip
    easel.lay("paint", hem, {"yellow ochre": 0.6, "umber": 0.4}, 26.0)
    easel.lay("details", 0.9 * hem, {"gold leaf": 1.0}, 0.30)


def _brocade(easel: Easel) -> np.ndarray:
    """A pomegranate pattern following the sleeve."""
    b = easel.board
    a = np.deg2rad(-24)
    u = ((b.x - 0.80) * np.cos(a) - (b.y - 0.90) * np.sin(a)) / 0.150
    v = ((b.y - 0.90) * np.cos(a) + (b.x - 0.80) * np.sin(a)) / 0.215
    u = u + 0.10 * np.sin(2.2 * v)
    column = np.round(u)
    v = v + 0.5 * (column % 2)
    du, dv = u - column, v - np.round(v)
    ogee = np.abs(np.abs(du) - 0.25 - 0.20 * np.cos(2 * np.pi * dv))
    frame = smoothstep(0.055, 0.030, ogee)
    r = np.hypot(du / 0.20, (dv - 0.02) / 0.21)
    angle = np.arctan2(du / 0.20, -(dv - 0.02) / 0.21)
    petals = 0.80 + 0.16 * np.cos(5 * angle)
    fruit = smoothstep(1.05, 0.95, r / petals)
    seeds = smoothstep(0.10, 0.16, np.abs(r / petals - 0.62)) * smoothstep(0.14, 0.20, r)
    stem = smoothstep(0.035, 0.020, np.abs(du)) * (dv > 0.15) * (dv < 0.45)
    leaves = smoothstep(0.05, 0.03, np.abs(np.abs(du) - 2.2 * (dv - 0.30) ** 2 - 0.02))
    leaves = leaves * smoothstep(0.20, 0.22, dv) * smoothstep(0.46, 0.42, dv)
    return np.maximum.reduce([frame, fruit * seeds, stem, leaves]).astype(np.float32)


def _head(easel: Easel) -> None:
    b = easel.board
    skin = b.shape_of(_FACE)
    skin = skin * (1.0 - b.shape_of(_BUST))
    light = 0.40 + 0.56 * b.relief(skin, 0.075, (-0.62, -0.35, 0.75))
    jaw = b.shape_of([
        (0.300, 0.250), (0.700, 0.250), (0.620, 0.490), (0.545, 0.548), (0.500, 0.598),
        (0.455, 0.634), (0.410, 0.650), (0.360, 0.654), (0.300, 0.600),
    ])  # fmt: skip
    shadow = (
        0.42 * b.blur(jaw, 0.040) * (1.0 - b.blur(jaw, 0.005))  # the jaw's, on the neck
        + 0.10 * b.blob(0.590, 0.740, 0.040, 0.10)
        + 0.06 * b.blob(0.500, 0.575, 0.035, 0.022, -40)
        + 0.13 * b.blob(0.383, 0.430, 0.016, 0.017)  # eye socket
        + 0.08 * b.blob(0.415, 0.450, 0.022, 0.008, 12)
        + 0.10 * b.blob(0.369, 0.512, 0.010, 0.007)  # beside the nostril
        + 0.09 * b.blob(0.366, 0.588, 0.012, 0.006)
        + 0.10 * b.blob(0.450, 0.345, 0.040, 0.060, 40)  # temple under the hair
        + 0.08 * b.blob(0.385, 0.640, 0.030, 0.008)
    )
    lit = (
        0.12 * b.blob(0.392, 0.350, 0.018, 0.035)
        + 0.12 * b.blob(0.410, 0.490, 0.024, 0.020)
        + 0.08 * b.blob(0.349, 0.492, 0.006, 0.010)
        + 0.08 * b.blob(0.372, 0.615, 0.010, 0.012)
        + 0.16 * b.blob(0.490, 0.850, 0.070, 0.060)
        + 0.06 * b.blob(0.475, 0.720, 0.012, 0.060)
    )
    tone = light - shadow + lit
    easel.lay("paint", skin, ramp(tone, SKIN_DARK, SKIN_DARK, SKIN_HALF, SKIN_LIGHT, SKIN_PALE),
              22.0 + 14.0 * np.clip(tone, 0, 1), "face and neck")  # fmt: skip
    blush = skin * (b.blob(0.428, 0.520, 0.032, 0.026) + 0.5 * b.blob(0.346, 0.505, 0.010, 0.010))
    easel.lay("paint", 0.35 * blush, {"lead white": 0.93, "vermilion": 0.07}, 30.0)
    easel.brush_along(skin, np.deg2rad(70))


def _features(easel: Easel) -> None:
    b = easel.board
    dark: Mix = {"umber": 0.75, "bone black": 0.25}
    brow = b.line([(0.376, 0.396), (0.392, 0.387), (0.412, 0.388), (0.432, 0.396)],
                  [0.003, 0.0055, 0.005, 0.001], 0.001)  # fmt: skip
    easel.lay("paint", 0.55 * brow, {"umber": 0.7, "red ochre": 0.3}, 20.0)
    white = b.shape_of([(0.3815, 0.424), (0.390, 0.4165), (0.404, 0.421), (0.416, 0.430),
                        (0.402, 0.434), (0.388, 0.434)])  # fmt: skip
    easel.lay("paint", white, {"lead white": 0.93, "azurite": 0.05, "bone black": 0.01}, 28.0)
    iris = b.shape_of([(0.3825, 0.4185), (0.3925, 0.4165), (0.3955, 0.426), (0.391, 0.4345),
                       (0.3845, 0.433)])  # fmt: skip
    easel.lay("paint", iris * np.maximum(white, 0.3), {"umber": 0.6, "azurite": 0.2,
              "bone black": 0.25}, 24.0)  # fmt: skip
    easel.lay("paint", b.blob(0.386, 0.4225, 0.0022, 0.0025), {"lead white": 1.0}, 34.0)
    lid = b.line([(0.3785, 0.4245), (0.386, 0.4155), (0.398, 0.4165), (0.412, 0.4255),
                  (0.421, 0.4315)], [0.003, 0.0055, 0.005, 0.004, 0.001])  # fmt: skip
    easel.lay("paint", 0.9 * lid, dark, 22.0)
    crease = b.line([(0.3835, 0.409), (0.396, 0.4065), (0.412, 0.415), (0.422, 0.425)],
                    [0.001, 0.003, 0.003, 0.001], 0.001)  # fmt: skip
    easel.lay("paint", 0.45 * crease, {"red ochre": 0.7, "umber": 0.3}, 20.0)
    under = b.line([(0.383, 0.4345), (0.397, 0.4365), (0.412, 0.432)], [0.001, 0.003, 0.001])
    easel.lay("paint", 0.45 * under, {"red ochre": 0.8, "umber": 0.2}, 20.0)
    nostril = b.line([(0.349, 0.5115), (0.357, 0.5085), (0.363, 0.511)], [0.002, 0.005, 0.002])
    easel.lay("paint", 0.75 * nostril, {"red ochre": 0.6, "umber": 0.4}, 20.0)
    wing = b.line([(0.362, 0.493), (0.3705, 0.501), (0.368, 0.513)], [0.001, 0.003, 0.002], 0.0015)
    easel.lay("paint", 0.45 * wing, {"red ochre": 0.7, "umber": 0.3}, 20.0)
    lips = b.shape_of([(0.3525, 0.545), (0.360, 0.5435), (0.372, 0.5485), (0.388, 0.556),
                       (0.378, 0.5645), (0.367, 0.5735), (0.3565, 0.574), (0.3555, 0.5655),
                       (0.362, 0.558), (0.3525, 0.553)])  # fmt: skip
    easel.lay(
        "paint", 0.85 * lips, {"vermilion": 0.34, "lead white": 0.56, "red ochre": 0.10}, 26.0
    )
    mouth = b.line([(0.3585, 0.557), (0.371, 0.5565), (0.391, 0.557)], [0.003, 0.0035, 0.001])
    easel.lay("paint", 0.8 * mouth, {"red ochre": 0.7, "umber": 0.3}, 20.0)
    ear = b.shape_of([(0.500, 0.462), (0.514, 0.442), (0.536, 0.446), (0.540, 0.474),
                      (0.528, 0.505), (0.515, 0.530), (0.502, 0.520)], 0.001)  # fmt: skip
    easel.lay("paint", ear, SKIN_LIGHT, 30.0, "face and neck")
    fold = b.line([(0.508, 0.470), (0.518, 0.455), (0.530, 0.464), (0.526, 0.490), (0.514, 0.508)],
                  [0.003, 0.005, 0.005, 0.005, 0.002], 0.001)  # fmt: skip
    easel.lay("paint", 0.6 * fold, {"red ochre": 0.45, "lead white": 0.45, "umber": 0.1}, 24.0)


def _coiffure(easel: Easel) -> None:
    b = easel.board
    hair = b.shape_of(_HAIR, 0.0015)
    ear = b.shape_of([(0.500, 0.458), (0.516, 0.440), (0.536, 0.446), (0.541, 0.474),
                      (0.530, 0.508), (0.515, 0.531), (0.500, 0.520)])  # fmt: skip
    hair = hair * (1.0 - ear)
    # Combed from the brow over the crown and down to the knot at the back.
    flow = np.arctan2(b.x - 0.50, -(b.y - 0.53)) + 0.12
    radius = np.hypot(b.x - 0.50, 0.9 * (b.y - 0.53))
    wave = 0.006 * np.sin(5.0 * flow + 9.0 * radius) + 0.02 * flow
    strand = b.strands("hair", flow / 0.9, (radius + wave) / 0.0075)
    light = b.relief(hair, 0.095, (-0.45, -0.75, 0.5))
    sheen = 0.30 * b.blob(0.500, 0.285, 0.060, 0.018, -32) + 0.20 * b.blob(
        0.60, 0.30, 0.05, 0.02, 20
    )
    tone = 0.62 * light + 0.16 * strand + sheen + 0.14
    easel.lay(
        "paint", hair,
        ramp(tone, {"umber": 0.80, "bone black": 0.25}, {"umber": 0.50, "yellow ochre": 0.50},
             {"yellow ochre": 0.86, "red ochre": 0.06, "lead-tin yellow": 0.08},
             {"lead-tin yellow": 0.62, "yellow ochre": 0.36}),
        28.0, "hair",
    )  # fmt: skip
    easel.brush_along(hair, flow)
    veil = b.shape_of([(0.560, 0.232), (0.640, 0.262), (0.705, 0.345), (0.728, 0.430),
                       (0.735, 0.520), (0.700, 0.600), (0.690, 0.700), (0.720, 0.800),
                       (0.700, 0.860), (0.660, 0.820), (0.640, 0.720), (0.640, 0.610),
                       (0.660, 0.520), (0.655, 0.430), (0.625, 0.340), (0.585, 0.280)],
                      0.002)  # fmt: skip
    pleats = 0.5 + 0.5 * np.sin((b.x - 0.16 * b.y) * 210.0 + 2.0 * b.fbm("veil", 0.15, 0.15))
    easel.lay("details", veil * (0.25 + 0.55 * pleats**2), {"lead white": 1.0}, 7.0)
    easel.areas[(veil * (0.25 + 0.55 * pleats**2)) > 0.5] = easel.area_index("veil")
    braid = b.line([(0.430, 0.318), (0.480, 0.352), (0.530, 0.378), (0.590, 0.390), (0.660, 0.380)],
                   [0.010, 0.014, 0.014, 0.012])  # fmt: skip
    easel.lay("paint", 0.85 * braid, {"lead-tin yellow": 0.6, "yellow ochre": 0.4}, 30.0)


def _pearls(easel: Easel, path: Points, n: int, radius: float) -> None:
    from xrfengine.phantom.brushes import curve

    b = easel.board
    line = curve(path, closed=False)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], n)
    centres = np.stack([np.interp(at, length, line[:, i]) for i in (0, 1)], axis=1)
    size = np.full(n, radius)
    shadow = b.discs(centres + np.array([0.003, 0.005]), 1.05 * size)
    easel.lay("paint", 0.5 * shadow, {"umber": 0.7, "red ochre": 0.3}, 24.0)
    body = b.discs(centres, size)
    easel.lay("details", body, {"lead white": 0.95, "azurite": 0.03, "yellow ochre": 0.03,
              "bone black": 0.004}, 26.0, "jewels")  # fmt: skip
    easel.lay("details", b.discs(centres - 0.28 * radius, 0.48 * size), {"lead white": 1.0}, 36.0)


def _jewels(easel: Easel) -> None:
    b = easel.board
    _pearls(easel, [(0.424, 0.305), (0.475, 0.330), (0.530, 0.356), (0.595, 0.366), (0.665, 0.352)],
            17, 0.0078)  # fmt: skip
    _pearls(easel, [(0.452, 0.752), (0.480, 0.786), (0.525, 0.806), (0.580, 0.797), (0.624, 0.768)],
            15, 0.0088)  # fmt: skip
    brooch = np.array([[0.498, 0.838]])
    easel.lay("details", b.line([(0.498, 0.798), (0.498, 0.83)], [0.004, 0.004]),
              {"gold leaf": 1.0}, 0.4)  # fmt: skip
    easel.lay("details", b.discs(brooch, np.array([0.020])), {"gold leaf": 1.0}, 0.5, "jewels")
    easel.lay("details", b.discs(brooch, np.array([0.0125])), {"vermilion": 0.5, "red lake": 0.5},
              18.0)  # fmt: skip
    easel.lay("details", b.blob(0.494, 0.833, 0.003, 0.003), {"lead white": 1.0}, 20.0, wet=False)
    _pearls(easel, [(0.498, 0.868), (0.498, 0.869)], 1, 0.0115)


__all__ = ["HEIGHT", "first_portrait", "lady"]
