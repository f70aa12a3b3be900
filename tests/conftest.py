"""For all tests."""

from hypothesis import settings

# How long an example takes tells about the machine's other work, not about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
