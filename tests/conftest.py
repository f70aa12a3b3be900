"""For all tests."""

import os

from hypothesis import settings

# Two files of tests run at a time, and pages of the browser beside their server: threads of more
# than one process on the same cores wait for one another, and everything takes twice as long.
# Before anything that counts: a library asks when it is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# How long an example takes tells about the machine's other work, not about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
