"""``python -m affnet``: the command line, where its script is not on the path."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # pip refuses it, a folder on the path does not
    from affnet import _old_python

    print(f"Error: {_old_python()}", file=sys.stderr)
    sys.exit(3)

from affnet.cli import run_as_process

if __name__ == "__main__":
    run_as_process()
