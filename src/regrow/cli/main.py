"""The command `regrow`: how its end, good or bad, reaches a person and a script."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 our fault; 2 wrong usage; 3 wrong data or model; 4 the user's program raised or is not
    deterministic; 75 interrupted or out of disk, and to be resumed; 130 interrupted again, or before there was a run.
    """
    try:
        from regrow.cli.app import app  # here, so that an impatient Ctrl-C meets no traceback
        from regrow.cli.options import refuse_empty
        from regrow.errors import RegrowError
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        refuse_empty(sys.argv[1:])
        app()
    except RegrowError as error:
        print(f"regrow: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except (BrokenPipeError, SystemExit) as end:
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):  # typer makes the one of the other
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone: that is no fault
        sys.exit(0)
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(f"regrow: {type(error).__name__}: {error}\n        this is a fault of regrow: please report it", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
