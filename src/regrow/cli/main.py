"""The command `regrow`: how its end, good or bad, reaches a person and a script."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 our fault; 2 wrong usage; 3 wrong data or model; 4 the user's program raised or is not
    deterministic; 75 interrupted or out of disk, and to be resumed; 130 interrupted again, or before there was a run.
    """
    _open_what_is_closed()
    try:
        from regrow.cli.app import app  # here, so that an impatient Ctrl-C meets no traceback
        from regrow.cli.options import refuse_empty
        from regrow.errors import RegrowError
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        refuse_empty(sys.argv[1:])
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where it is told if that cannot be
    except RegrowError as error:
        print(f"regrow: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except (BrokenPipeError, SystemExit) as end:
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):  # typer makes the one of the other
            raise
        _say_no_more()  # the reader of our output has gone: that is no fault
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _say_no_more()
            print(f"regrow: {error.strerror}: {error.filename or 'what is printed cannot be written'}", file=sys.stderr)
            print("        make room, and do it again", file=sys.stderr)
            sys.exit(75)
        import traceback

        traceback.print_exc()
        print(f"regrow: {type(error).__name__}: {error}\n        this is a fault of regrow: please report it", file=sys.stderr)
        sys.exit(1)


FULL = {errno.ENOSPC, errno.EDQUOT}


def _open_what_is_closed() -> None:
    """Standard streams that are closed lead nowhere: else the next file that is opened would have their number, and be written into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - for as long as the process lives


def _say_no_more() -> None:
    """Whatever is still to be printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
