"""What tests of the engine share."""

import h5py
import numpy as np
import pytest

from xrfengine.errors import ReadError
from xrfengine.readers import read


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The file of a tiny network that was never trained."""
    from xrfengine.classifier.checkpoint import untrained  # most tests do without torch

    folder = tmp_path_factory.mktemp("model")
    return untrained(elements=("Fe", "Cu", "Ar"), depth=1).save(folder / "tiny.safetensors")


@pytest.fixture
def hdf5():
    """Writes counts (3, 4, 16) and energies, each another or none, to a path; gives the path."""
    good, energies = np.ones((3, 4, 16), "uint16"), 0.02 * np.arange(16)

    def write(path, counts=good, energy=energies, **attributes):
        with h5py.File(path, "w") as file:
            if counts is not None:
                file["counts"] = counts
                file["counts"].attrs.update(attributes)
            if energy is not None:
                file["energy_keV"] = energy
        return path

    return write


@pytest.fixture
def says():
    """Checks that a file is refused by its name, in one line, with a remedy and these words."""

    def check(path, *words, calibration=None):
        with pytest.raises(ReadError) as caught:
            read(path, calibration)
        error = caught.value
        assert str(path) in error.message
        assert error.hint
        assert "\n" not in str(error)
        for word in words:
            assert word in str(error)
        return error

    return check
