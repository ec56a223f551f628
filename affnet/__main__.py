"""``python -m affnet``: the command line, where its script is not on the path."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # pip refuses it, a folder on the path does not
    print(
        f"Error: affnet needs Python 3.11 or later, and this is {sys.version.split()[0]} "
        f"({sys.executable}); run: python3.11 -m venv .venv",
        file=sys.stderr,
    )
    sys.exit(3)

from affnet.cli import run_as_process

if __name__ == "__main__":
    run_as_process()
