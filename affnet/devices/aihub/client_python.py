"""Which Python has the client of Qualcomm AI Hub; affnet's own does not, as it pins protobuf."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from affnet.errors import MissingError

_PROGRAM = "qai-hub"
#: What fixes that there is none.
INSTALL = (
    "install it into an environment of its own, by: pipx install qai-hub; "
    "or set python in devices.toml to an interpreter that has it."
)


def find_python(named: str | None) -> str:
    """Return the interpreter that is named, or the one beside the ``qai-hub`` on the path.

    Raises:
        MissingError: there is none.
    """
    if named is not None:
        path = Path(named).expanduser()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise MissingError(f"{named}, the python of devices.toml, is no program", INSTALL)
        return str(path)
    program = shutil.which(_PROGRAM)
    if program is None:
        raise MissingError(
            f"{_PROGRAM}, the client of Qualcomm AI Hub, is not on the path", INSTALL
        )
    # pipx and uv link to the program in the client's own environment
    folder = Path(program).resolve().parent
    if (found := shutil.which("python", path=str(folder))) is None:
        raise MissingError(
            f"No Python stands beside {folder / _PROGRAM}, the client of Qualcomm AI Hub",
            "set python in devices.toml to the interpreter that has it.",
        )
    return found


def client_environment() -> dict[str, str]:
    """Return the environment of that interpreter: the modules of this one are not its own."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PYTHONSAFEPATH": "1"  # the folder of the script holds no modules of its own
    }
