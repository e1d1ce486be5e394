"""A coordinator in a process of its own: python coordinator_process.py JSON. Prints the summary; exits as the shell would see it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from power import note_fsyncs
from regrow.data import TextOptions, describe
from regrow.errors import RegrowError
from regrow.job import ProgramName
from regrow.running import begin, resume
from regrow.spec import How, Spec


def main() -> int:
    """Do what was asked."""
    asked = json.loads(sys.argv[1])
    note_fsyncs()
    try:
        if asked["verb"] == "resume":
            summary = resume(Path(asked["run"]), **asked["changes"])
        else:
            program = ProgramName(str(Path(__file__).with_name("programs.py")), asked["name"])
            options = TextOptions()
            spec = Spec("run", program, asked["parameters"], 1, describe([asked["text"]], options), options, "text")
            summary = begin(spec, Path(asked["run"]), How(**asked["how"]))
    except RegrowError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
