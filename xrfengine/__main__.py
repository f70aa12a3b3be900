"""``python -m xrfengine`` is the command ``xrfengine``."""

from xrfengine.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
