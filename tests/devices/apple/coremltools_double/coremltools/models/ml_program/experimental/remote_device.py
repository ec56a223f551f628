from __future__ import annotations

import enum
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coremltools.scenario import SCENARIO, log, play


@dataclass(frozen=True)
class AppSigningCredentials:
    development_team: str | None = ""
    provisioning_profile_uuid: str | None = None
    bundle_identifier: str | None = None


class DeviceType(enum.Enum):
    MAC = "mac"
    IPHONE = "iphone"
    IPAD = "ipad"
    APPLETV = "apppletv"
    WATCH = "applewatch"
    HOMEPOD = "homepod"
    UNKNOWN = "unknown"


class DeviceState(enum.Enum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"


class _AppSession:
    """The model runner, in whose place a real process sleeps, as devicectl would."""

    def __init__(self, device, process, installation_info, working_directory) -> None:
        self.process = process

    def stop(self):
        log("stop")
        self.process.terminate()

    def is_alive(self) -> bool:
        return self.process.poll() is None


@dataclass(frozen=True)
class Device:
    name: str
    type: DeviceType
    identifier: str
    udid: str
    os_version: str
    os_build_number: str
    developer_mode_state: str
    state: DeviceState
    session: Any

    @staticmethod
    def get_devices() -> list[Device]:
        log("list")
        play("list")
        return [
            Device(
                **{
                    **told,
                    "type": DeviceType(told["type"]),
                    "state": DeviceState(told["state"]),
                    "session": None,
                }
            )
            for told in SCENARIO["devices"]
        ]

    async def prepare_for_model_debugging(
        self,
        credentials: AppSigningCredentials | None = None,
        working_directory: Path | None = None,
        clean: bool = False,
    ) -> Device:
        print("Setting up ..")  # coremltools shows bars
        assert working_directory is not None
        assert working_directory.is_dir()
        play("prepare")
        process = subprocess.Popen(["sleep", "1000"])
        log("prepare", team=credentials.development_team, device=self.identifier, pid=process.pid)
        return replace(self, session=_AppSession(self, process, None, working_directory))
