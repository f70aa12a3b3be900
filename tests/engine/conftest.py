"""What tests of the engine share."""

import pytest


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The file of a tiny network that was never trained."""
    from xrfengine.classifier.checkpoint import untrained  # most tests do without torch

    folder = tmp_path_factory.mktemp("model")
    return untrained(elements=("Fe", "Cu", "Ar"), depth=1).save(folder / "tiny.safetensors")
