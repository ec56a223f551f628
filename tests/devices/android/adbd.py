"""A phone: a server on loopback that speaks adbd's wire protocol, for the real adb client.

It runs shell commands in a sandbox: ``/data/local/tmp`` is a folder of its own, and ``getprop``,
``dumpsys``, ``df`` and ``taskset`` are scripts.  What a phone may do wrong is set on `Phone`.

The protocol: packets with a header of six little-endian words (command, two arguments, length,
checksum, the command's complement); streams of OPEN, OKAY, WRTE, CLSE; inside them shell v2 (an
id byte, a length, data) or sync (four letters, a length).  AOSP describes it in
packages/modules/adb/protocol.txt, SYNC.TXT and shell_protocol.h.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import signal
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "/data/local/tmp"
_SYSTEM_FOLDERS = ("/sys/bus/iio", "/sys/class/power_supply")
_AUTH, _CNXN, _OPEN, _OKAY, _CLSE, _WRTE = b"AUTH", b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE"
_VERSION, _MAX_DATA = 0x01000001, 1 << 18
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)


@dataclass
class Phone:
    """A phone's sandbox and its faults."""

    root: Path
    model: str = "Pixel 8"
    manufacturer: str = "Google"
    authorised: bool = True
    push_error: str | None = None  # what the phone answers to a push
    lost_during_push: bool = False
    port: int = 0
    host: str = "127.0.0.1"
    sessions: list[_Session] = field(default_factory=list)
    listener: socket.socket | None = None

    @property
    def serial(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def start(self) -> None:
        self.temporary.mkdir(parents=True)
        (self.root / "bin").mkdir()
        properties = {
            "ro.product.manufacturer": self.manufacturer,
            "ro.product.model": self.model,
            "ro.product.cpu.abi": "arm64-v8a",
            "ro.soc.manufacturer": "Google",
            "ro.soc.model": "Tensor G3",
            "ro.build.version.release": "15",
            "ro.build.fingerprint": "google/shiba/shiba:15/TEST/1:user/release-keys",
        }
        lines = "\n".join(f"[{name}]: [{value}]" for name, value in properties.items())
        self.script("getprop", f"cat <<'END'\n{lines}\nEND")
        self.dumpsys(thermal=0)
        self.script("df", "echo Filesystem 1024-blocks Used Available Capacity Mounted on\n"
                    "echo /dev/block/dm-1 100000000 1 99999999 1% /data")  # fmt: skip
        # the mask is kept for the test, and not applied: this machine has other cores
        self.script("taskset", f'echo "$1" >>{shlex.quote(str(self.root / "masks"))}\n'
                    'shift; exec "$@"')  # fmt: skip
        self.listener = socket.create_server((self.host, self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def script(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def dumpsys(self, thermal: int) -> None:
        self.script(
            "dumpsys",
            'case "$1" in\n'
            "battery) printf 'Current Battery Service state:\\n  AC powered: false\\n"
            "  USB powered: true\\n  level: 83\\n  temperature: 291\\n';;\n"
            f"thermalservice) printf 'IsStatusOverride: false\\nThermal Status: {thermal}\\n';;\n"
            "power) printf '  mWakefulness=Awake\\n';;\nesac",
        )

    def in_sandbox(self, command: str) -> str:
        """Return a command with the sandbox's folders in the place of the phone's."""
        for folder in _SYSTEM_FOLDERS:
            command = command.replace(folder, f"{self.root}{folder}")
        return command.replace(FOLDER, str(self.temporary))

    def lose(self) -> None:
        """Go away, as when the cable is pulled."""
        if self.listener is not None:
            with contextlib.suppress(OSError):  # wakes the thread that accepts
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        for session in self.sessions:
            session.end()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                # else each answer in two packets waits 40 ms for the first one's acknowledgement
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = _Session(self, connection)
                self.sessions.append(session)
                threading.Thread(target=session.serve, daemon=True).start()


class _Session:
    """One connection of an adb server."""

    def __init__(self, phone: Phone, connection: socket.socket) -> None:
        self.phone = phone
        self._connection = connection
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._serve()
        self.end()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        for stream in list(self._streams.values()):
            stream.close()

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        word = int.from_bytes(command, "little")
        header = struct.pack(
            "<4s5I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, word ^ 0xFFFFFFFF
        )
        with self._sending:
            self._connection.sendall(header + data)

    def _serve(self) -> None:
        while True:
            command, first, second, length, _, _ = struct.unpack("<4s5I", self._receive(24))
            data = self._receive(length)
            if command == _CNXN and self.phone.authorised:
                banner = f"device::ro.product.model={self.phone.model};features=shell_v2,cmd"
                self.send(_CNXN, _VERSION, _MAX_DATA, banner.encode())
            elif command == _CNXN or (command == _AUTH and first != 3):
                self.send(_AUTH, 1, 0, bytes(20))  # a token to sign; no signature is good enough
            elif command == _AUTH:
                pass  # the computer has shown its key, and the user does not confirm
            elif command == _OPEN:
                stream = _Stream(self, len(self._streams) + 1, first)
                self._streams[stream.own] = stream
                service = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
                self.send(_OKAY, stream.own, first)
                threading.Thread(target=stream.run, args=(service,), daemon=True).start()
            elif command == _OKAY:
                self._streams[second].ready.release()
            elif command == _WRTE:
                self._streams[second].incoming.put(data)
                self.send(_OKAY, second, first)
            elif command == _CLSE and second in self._streams:
                self._streams[second].close()

    def _receive(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._connection.recv(length - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


class _Stream:
    """One service over a connection."""

    def __init__(self, session: _Session, own: int, theirs: int) -> None:
        self.own, self._theirs = own, theirs
        self._session = session
        self.ready = threading.Semaphore(1)  # each WRTE waits for the OKAY of the one before
        self.incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._buffer = b""

    def run(self, service: str) -> None:
        with contextlib.suppress(OSError, EOFError):
            if service.startswith("shell,"):
                self._shell(service.partition(":")[2])
            elif service.startswith("sync:"):
                self._sync()
            self._session.send(_CLSE, self.own, self._theirs)

    def close(self) -> None:
        self._closed.set()
        self.incoming.put(b"")
        self.ready.release()

    def _write(self, data: bytes) -> None:
        self.ready.acquire()
        if self._closed.is_set():
            raise EOFError
        self._session.send(_WRTE, self.own, self._theirs, data)

    def _read(self, length: int) -> bytes:
        while len(self._buffer) < length:
            part = self.incoming.get()
            if not part:
                raise EOFError
            self._buffer += part
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data

    # --- shell

    def _shell(self, command: str) -> None:
        phone = self._session.phone
        process = subprocess.Popen(
            ["sh", "-c", phone.in_sandbox(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": f"{phone.root / 'bin'}:/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        threading.Thread(target=self._feed, args=(process,), daemon=True).start()
        assert process.stdout is not None
        try:
            with process.stdout:
                while data := os.read(process.stdout.fileno(), 30_000):
                    self._write(struct.pack("<BI", _STDOUT, len(data)) + data)
        finally:  # also when the connection is lost: it may clean up
            code = process.wait()
        self._write(struct.pack("<BIB", _EXIT, 1, code & 0xFF))

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what is typed; at the end of input, or of the connection, close it."""
        assert process.stdin is not None
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, length = struct.unpack("<BI", self._read(5))
                data = self._read(length)
                if kind == _CLOSE_STDIN:
                    process.stdin.close()
                elif kind == _STDIN:
                    process.stdin.write(data)
                    process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()

    # --- sync

    def _sync(self) -> None:
        while True:
            request, length = struct.unpack("<4sI", self._read(8))
            if request == b"QUIT":
                return
            text = self._read(length).decode("utf-8", "surrogateescape")
            if request == b"SEND":
                self._receive_file(text)
            elif request == b"STAT":
                self._tell_state(self._path(text))
            elif request == b"RECV":
                self._send_file(self._path(text))
            else:
                self._fail(f"unknown request {request!r}")

    def _receive_file(self, text: str) -> None:
        phone = self._session.phone
        name, _, _mode = text.rpartition(",")
        content = bytearray()
        while True:
            part, length = struct.unpack("<4sI", self._read(8))
            if part == b"DONE":
                break
            content += self._read(length)
            if phone.lost_during_push:
                phone.lose()
                raise EOFError
        error = phone.push_error
        if error is None:
            try:
                self._path(name).write_bytes(content)
            except OSError as failure:
                error = failure.strerror
        if error is not None:
            self._fail(error)
        else:
            self._write(struct.pack("<4sI", b"OKAY", 0))

    def _tell_state(self, path: Path) -> None:
        found = path.stat() if path.exists() else None
        words = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
        self._write(struct.pack("<4s3I", b"STAT", *words))

    def _send_file(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as failure:
            self._fail(failure.strerror or "error")
            return
        for start in range(0, len(content), 1 << 16):
            part = content[start : start + (1 << 16)]
            self._write(struct.pack("<4sI", b"DATA", len(part)) + part)
        self._write(struct.pack("<4sI", b"DONE", 0))

    def _fail(self, reason: str) -> None:
        message = reason.encode()
        self._write(struct.pack("<4sI", b"FAIL", len(message)) + message)

    def _path(self, text: str) -> Path:
        assert text.startswith(FOLDER), text
        return Path(str(self._session.phone.temporary) + text.removeprefix(FOLDER))


def end_processes(folder: Path) -> list[str]:
    """Kill what still runs from a folder; return the command lines."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if str(folder) in command:
            found.append(command)
            with contextlib.suppress(psutil.Error):
                os.kill(process.pid, signal.SIGKILL)
    return found
