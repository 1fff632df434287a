"""The `wengert` command."""

from __future__ import annotations

import sys

__all__ = ["main"]

MISSING = 2
SENTENCE = 'The wengert command needs {name}, which is not installed. Install it with: pip install "wengert[cli]"'


def main() -> None:
    """Run the command line, or say in a sentence what it needs."""
    try:
        from wengert.tools.cli_commands import commands

        command_line = commands()
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.stderr.write(SENTENCE.format(name=error.name) + "\n")
        sys.exit(MISSING)
    command_line(prog_name="wengert")


if __name__ == "__main__":
    main()
