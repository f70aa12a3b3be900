"""The one exception family whose text is written for the person at the screen.

Anything a user can cause (a wrong file, a wrong setting, a stale link) is raised as
:class:`XRFError`: what was wrong, with which file or value, and what to do about it. The
command line prints it on one line, the dashboard shows it in the pane it concerns. Every
other exception is a fault of the software and is logged with its traceback.
"""

from __future__ import annotations


class XRFError(Exception):
    """A problem that the user can understand and mend.

    Parameters
    ----------
    message : str
        What was wrong, naming the file or value. One sentence, no full stop needed.
    hint : str
        What to do now. May be empty when the message already says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message.strip()
        self.hint = hint.strip()

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class ReadError(XRFError):
    """A file could not be read as a spectrum or cube."""


class CalibrationError(XRFError):
    """The given energy calibration makes no physical sense."""


class ModelError(XRFError):
    """A checkpoint is missing, damaged, or does not fit the settings asked for."""


class SettingsError(XRFError):
    """A setting lies outside its range, or two settings contradict each other."""


class Cancelled(Exception):
    """Raised inside a job, between two chunks, after its cancel token was set."""
