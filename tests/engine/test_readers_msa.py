import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrfengine.cube import Calibration, Spectrum
from xrfengine.errors import ReadError
from xrfengine.readers import probe, read

HEADER = {
    "FORMAT": "EMSA/MAS Spectral Data File",
    "VERSION": "1.0",
    "TITLE": "test",
    "NPOINTS": "6",
    "NCOLUMNS": "1",
    "XUNITS": "keV",
    "YUNITS": "counts",
    "DATATYPE": "Y",
    "XPERCHAN": "0.02",
    "OFFSET": "-0.1",
    "BEAMKV": "50",
    "LIVETIME": "12.5",
}


def msa(body, end=True, **changes):
    header = {**HEADER, **changes}
    lines = [f"#{key:<12}: {value}" for key, value in header.items() if value is not None]
    lines += ["#SPECTRUM    : Spectral Data Starts Here", *body]
    return "\n".join([*lines, "#ENDOFDATA   :"] if end else lines) + "\n"


def write(tmp_path, text, name="s.msa"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


COUNTS = [0, 1, 22, 333, 4, 5]


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ([str(c) for c in COUNTS], {}),
        ([f"{c}," for c in COUNTS], {}),
        ([" 0, 1, 22, 333", " 4, 5, 0, 0"], {"NCOLUMNS": "4"}),
        (["0 1 22", "333 4 5"], {"NCOLUMNS": "3"}),
        ([f"{-0.1 + 0.02 * i:.3f}, {c}" for i, c in enumerate(COUNTS)], {"DATATYPE": "XY"}),
        ([f"{-100 + 20 * i} {c}." for i, c in enumerate(COUNTS)],
         {"DATATYPE": "XY", "XUNITS": "eV"}),
        ([str(c) for c in COUNTS], {"XUNITS": "eV", "XPERCHAN": "20", "OFFSET": "-100."}),
        ([str(c) for c in COUNTS], {"XUNITS": "Energy (keV)", "NPOINTS": "6."}),
        ([str(c) for c in COUNTS], {"NPOINTS": None}),
    ],
)  # fmt: skip
def test_layouts(tmp_path, body, changes):
    path = write(tmp_path, msa(body, **changes))
    spectrum = read(path)
    assert isinstance(spectrum, Spectrum)
    assert spectrum.counts.tolist() == COUNTS
    np.testing.assert_allclose(spectrum.energy_kev, -0.1 + 0.02 * np.arange(6), atol=1e-9)
    assert spectrum.instrument.tube_kv == 50
    assert spectrum.instrument.live_time_s == 12.5
    assert probe(path).format == "EMSA/MAS"
    assert probe(path).shape == (6,)


def test_whole_counts_are_integers_and_others_floats(tmp_path):
    whole = [str(c) for c in COUNTS]
    assert read(write(tmp_path, msa(whole))).counts.dtype == np.int64
    assert read(write(tmp_path, msa([*whole[:5], "5.5"]))).counts.dtype == np.float64


@settings(deadline=None, max_examples=30)
@given(counts=st.lists(st.integers(0, 10**9), min_size=2, max_size=50), columns=st.integers(1, 7))
def test_any_counts_in_any_number_of_columns(tmp_path_factory, counts, columns):
    body = [
        ", ".join(str(c) for c in counts[at : at + columns])
        for at in range(0, len(counts), columns)
    ]
    text = msa(body, NPOINTS=str(len(counts)), NCOLUMNS=str(columns))
    spectrum = read(write(tmp_path_factory.mktemp("msa"), text))
    assert spectrum.counts.tolist() == counts
    assert spectrum.calibration == Calibration(-0.1, 0.02)


def test_extensions_and_windows_line_ends(tmp_path):
    text = msa([str(c) for c in COUNTS]).replace("\n", "\r\n")
    for name in ("s.emsa", "S.MSA", "s.txt"):
        assert read(write(tmp_path, text, name)).counts.tolist() == COUNTS


def test_a_subtracted_zero_peak_may_leave_a_few_counts_below_zero(tmp_path):
    spectrum = read(write(tmp_path, msa(["0", "-2", "100000", "50000", "4", "5"])))
    assert spectrum.counts.tolist() == [0, 0, 100000, 50000, 4, 5]


BODY = [str(c) for c in COUNTS]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (msa(["1", "2", "-3", "4", "5", "6"]), "negative: -3 at channel 2"),
        (msa(["1", "2", "nan", "4", "5", "6"]), "no finite number: nan at channel 2"),
        (msa(["1", "2", "inf", "4", "5", "6"]), "no finite number: inf at channel 2"),
        (msa(["1", "2", "3;x", "4", "5", "6"]), "'x', which is no number"),
        (msa(["1,5", "2,5", "3,5", "1,1", "2,2", "3,3"]), "6 channels are announced, 12"),
        (msa(BODY[:4], end=False), "truncated: 6 channels are announced, 4"),
        (msa(BODY[:4]), "truncated: 6 channels are announced, 4"),
        (msa(BODY, end=False, NPOINTS=None), "truncated"),
        (msa(BODY, XUNITS=None), "#XUNITS must say keV or eV"),
        (msa(BODY, XUNITS="nm"), "unit of the energy axis is nm"),
        (msa(BODY, XPERCHAN=None), "#XPERCHAN is missing"),
        (msa(BODY, XPERCHAN="wide"), "#XPERCHAN holds no number"),
        (msa(BODY, XPERCHAN="-0.02"), "gain of -0.02"),
        (msa(BODY, XPERCHAN="0"), "gain of 0"),
        (msa(BODY, XPERCHAN="200"), "looks like eV"),
        (msa(["1"], NPOINTS="1"), "only one channel"),
        (msa([], NPOINTS="0"), "empty"),
        (msa(["0.3 1", "0.2 2"], DATATYPE="XY", NPOINTS="2"), "does not rise at channel 1"),
        (msa(["0.1 1", "0.2"], DATATYPE="XY", NPOINTS="2"), "no counts"),
        (msa(BODY, FORMAT=None, TITLE="x").replace("#VERSION", "#FORMAT"), "no EMSA/MAS file"),
        (msa([]).partition("#SPECTRUM")[0], "truncated"),
        ("hello\n", "plain text"),
    ],
)
def test_bad_files(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ReadError) as caught:
        read(path)
    assert says in str(caught.value)
    assert str(path) in caught.value.message
    assert caught.value.hint
