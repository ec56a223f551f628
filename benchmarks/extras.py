r"""Install each extra alone: what it is for must work, and what another is for name that one.

    pip install uv
    python -m benchmarks.extras                          # about a minute for each on two cores
    python -m benchmarks.extras tflite coreml --torch torch==2.13.0+cpu --find-links FOLDER
    python -m benchmarks.extras tflite --python 3.13 --resolution lowest-direct

First comes affnet without any extra: it exports, and each job below must be refused by a sentence
with the extra's name.  Then each extra gets a fresh environment: ``affnet doctor`` must find it
complete, its job must be done, and the job of the next one refused.  Jobs that need a server find
none, and must fail for that.

Prints a row for each; exit code 1 if one is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
NOWHERE = "127.0.0.1:9"  # the port of discard: no server listens there
PAGE = "from affnet.viewing.server import page_files; page_files()"
FORMATS = ("coreml", "tflite", "executorch", "openvino", "mnn", "ncnn", "coreai")
FAKE = ("--device", "fake", "--preset", "quick")
UPLOAD = ("--to", "hf://me/digits", "--license", "mit", "--upload")
JOBS = {
    **{name: ("affnet", "export", "digits", "--format", name) for name in FORMATS},
    "tract": ("affnet", "verify", "digits.onnx", "--runtime", "tract"),
    "peers": ("affnet", "export", "mobilevit_xxs", "--format", "torch", "--image-size", "64"),
    "coco": ("affnet", "eval", "affnet_et_ssdlite", "--data", "coco"),
    "report": ("affnet", "compare", "results.json", "--html", "report.html"),
    "view": ("python", "-c", PAGE),
    "signing": ("affnet", "sign", "digits.onnx", "--key", "key.pem"),
    "postgresql": ("affnet", "compare", "--store", f"postgresql://{NOWHERE}/lab"),
    "ssh": ("affnet", "doctor", f"ada@{NOWHERE}"),
    "labgrid": ("affnet", "doctor", "board", "--devices-file", "devices.toml"),
    "cluster": ("affnet", "devices", "--cluster", f"tcp://{NOWHERE}"),
    "hub": ("affnet", "publish", "digits.onnx", *UPLOAD),
    "browser": ("affnet", "doctor", "browser"),
}
#: Extras of one build of torch, and those that no user installs.
NOT_TRIED = ("timm", "torchvision", "zoo", "dev", "docs", "all")
#: Whose job needs what is not there: a server, or for browsers perhaps Chromium and npm.
WITHOUT_SERVER = ("postgresql", "ssh", "labgrid", "cluster", "hub", "browser")
DEVICES = f'[board]\nkind = "labgrid"\nplace = "board"\ncoordinator = "{NOWHERE}"\nwait_s = 0.0\n'
#: Variables by which Python imports other packages, such as those of the checkout.
ELSEWHERE = ("PYTHONHOME", "PYTHONPATH")
SERVERS = {"HF_ENDPOINT": f"http://{NOWHERE}", "HF_TOKEN": "hf_none"}


class Environment:
    """A fresh environment with affnet's wheel and perhaps one extra."""

    def __init__(self, folder: Path, wheel: Path, extra: str | None, how: Sequence[str]) -> None:
        self._bin = folder / "bin"
        python, *options = how
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        for command in (
            ["uv", "venv", "--quiet", "--python", python, str(folder)],
            ["uv", "pip", "install", "--quiet", "--python", str(folder), *options, wanted],
        ):
            subprocess.run(command, check=True)

    def run(self, command: Sequence[str], folder: Path) -> tuple[int, str]:
        """Run a program of it in a folder; return its exit code and what it printed."""
        program, *rest = command
        done = subprocess.run(
            [str(self._bin / program), *rest],
            cwd=folder,
            env=variables(folder),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


def variables(folder: Path) -> dict[str, str]:
    """Return the environment variables of a program, which must import what is installed for it."""
    own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**own, **SERVERS, "AFFNET_CACHE_DIR": str(folder / "cache")}


def prepare(core: Environment, folder: Path) -> None:
    """Make the files that jobs take, by what needs no extra."""
    for command in (
        ("affnet", "export", "digits", "--format", "onnx", "--output", "."),
        ("affnet", "bench", "digits.onnx", *FAKE, "--output", "results.json"),
    ):
        code, text = core.run(command, folder)
        if code:
            raise SystemExit(f"{' '.join(command)} failed without any extra:\n{text}")
    (folder / "devices.toml").write_text(DEVICES)
    key = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem"]
    subprocess.run(key, cwd=folder, check=True)
    (folder / "coco" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48), "gray").save(folder / "coco" / "images" / "1.png")
    content = {
        "images": [{"id": 1, "file_name": "1.png", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [],
    }
    (folder / "coco" / "annotations.json").write_text(json.dumps(content))


def refused(environment: Environment, extra: str, folder: Path) -> str:
    """Return what is wrong with how an environment without an extra refuses its job, or ""."""
    code, text = environment.run(JOBS[extra], folder)
    named = f"affnet[{extra}]" in text
    return "" if code and named else f"without {extra}: exit code {code}, {last_line(text)}"


def done(environment: Environment, extra: str, folder: Path) -> str:
    """Return what is wrong with an extra that is installed alone, or ""."""
    for command in (("affnet", "--help"), ("affnet", "doctor", "--json")):
        code, text = environment.run(command, folder)
        if code:
            return f"{' '.join(command)}: exit code {code}, {last_line(text)}"
    if (state := json.loads(text)["extras"][extra]["state"]) != "complete":
        return f"affnet doctor calls it {state}"
    code, text = environment.run(JOBS[extra], folder)
    if extra in WITHOUT_SERVER:
        ended = "Traceback" not in text and "pip install" not in text
    else:
        ended = code == 0
    return "" if ended else f"its job: exit code {code}, {last_line(text)}"


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "nothing printed"


def rows(wheel: Path, extras: Sequence[str], how: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each extra, "none" first, and what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="affnet-extras-") as scratch:
        work = Path(scratch, "work")
        work.mkdir()
        core = Environment(Path(scratch, "core"), wheel, None, how)
        prepare(core, work)
        yield "none", [wrong for extra in extras if (wrong := refused(core, extra, work))]
        for extra in extras:
            with tempfile.TemporaryDirectory(prefix="affnet-extra-") as own:
                alone = Environment(Path(own, "venv"), wheel, extra, how)
                # tflite's job is refused everywhere else, and coreml's there
                other = "coreml" if extra == "tflite" else "tflite"
                found = (done(alone, extra, work), refused(alone, other, work))
                yield extra, [wrong for wrong in found if wrong]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("extras", nargs="*", help=f"of {', '.join(JOBS)}; default: all")
    parser.add_argument("--python", default=f"{sys.version_info[0]}.{sys.version_info[1]}")
    parser.add_argument("--torch", default="torch", help="a requirement, such as torch==2.13.0")
    parser.add_argument("--resolution", default="highest", help="or lowest-direct")
    parser.add_argument("--find-links", help="a folder with wheels")
    chosen = parser.parse_args()
    if unknown := set(chosen.extras) - JOBS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    how = [chosen.python, "--resolution", chosen.resolution]
    how += ["--find-links", chosen.find_links] if chosen.find_links else []
    how += [chosen.torch]
    with tempfile.TemporaryDirectory() as folder:
        build = ["uv", "build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT)]
        subprocess.run(build, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        failed = False
        for extra, wrong in rows(wheel, chosen.extras or list(JOBS), how):
            failed |= bool(wrong)
            print(f"{extra:<12} {'; '.join(wrong) or 'ok'}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
