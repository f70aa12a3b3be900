"""The command ``xrfengine``, also ``python -m xrfengine``.

Exit code 0 on success; 2 on bad input, with one line on stderr that says what is wrong and what
to do; 130 after Ctrl-C. Anything else is a fault of the software and shows its traceback.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import xrfengine
from xrfengine.cli import cluster, evaluate, export, facts, identify, making, maps
from xrfengine.cli.terminal import Parser, Terminal
from xrfengine.errors import Cancelled, XRFError

BAD_INPUT = 2
INTERRUPTED = 130


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="xrfengine",
        description="Which chemical element is where: X-ray fluorescence spectra and images.",
    )
    parser.add_argument("--version", action="version", version=f"xrfengine {xrfengine.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    facts.add_info(commands)
    identify.add(commands)
    maps.add_maps(commands)
    cluster.add_cluster(commands)
    export.add(commands)
    facts.add_calibrate(commands)
    making.add_train(commands)
    evaluate.add(commands)
    making.add_simulate(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    terminal = Terminal()
    try:
        with terminal.interruptible(), warnings.catch_warnings():
            if not sys.warnoptions:  # stderr is for the user; -W brings warnings back
                warnings.simplefilter("ignore")
            args = build_parser().parse_args(arguments)
            args.argv = arguments
            args.run(args, terminal)
            sys.stdout.flush()
        return 0
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        # Ctrl-C reaches worker processes too: whatever breaks after it is no fault.
        if terminal.cancel.is_cancelled or isinstance(error, (Cancelled, KeyboardInterrupt)):
            sys.stderr.write("xrfengine: interrupted\n")
            return INTERRUPTED
        if isinstance(error, XRFError):
            sys.stderr.write(f"xrfengine: {' '.join(str(error).split())}\n")
            return BAD_INPUT
        raise
