"""``affnet export`` of a network of the user's own: its name, and what reaches which stream."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Finished

Run = Callable[..., Finished]

NETWORKS = """
    import os
    import torch
    from torch import nn

    class Own(nn.Module):
        def __init__(self, operator):
            super().__init__()
            self.operator = operator

        def forward(self, x):
            print("forward prints")
            return self.operator(x)

    def build():
        print("build prints")
        os.write(1, b"a library prints\\n")
        return Own(lambda x: x + 1), torch.zeros(2, 3)

    def build_nanmedian():
        return Own(lambda x: x.nanmedian(1).values), torch.rand(2, 3)

    def build_branch():
        return Own(lambda x: x if x.sum() > 0 else -x), torch.rand(2, 3)
"""


def write(path: Path, text: str) -> None:
    """Write a module; each test's has a name of its own, because Python imports a name once."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def test_json_alone_reaches_stdout(run: Run, workspace: Path) -> None:
    write(workspace / "own_prints.py", NETWORKS)
    done = run("export", "own_prints:build", "-f", "torch", "--json")
    assert done.code == 0
    assert done.json["artifact"] == "own_prints.pt2"
    for printed in ("build prints\n", "forward prints\n", "a library prints\n"):
        assert printed in done.err
    human = run("export", "own_prints:build", "-f", "torch", "--no-verify")
    assert "build prints\n" in human.out  # without --json, it is where the user put it


def test_a_failure_names_every_reason_and_leaves_the_streams_clean(
    run: Run, workspace: Path
) -> None:
    write(workspace / "own_fails.py", NETWORKS)
    done = run("export", "own_fails:build_nanmedian", "--json")
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith(
        "torch.onnx cannot export own_fails_nanmedian: No ONNX function found for "
    )
    assert "aten.nanmedian" in done.error
    assert "also tried without success: TorchScript (Exporting the operator" in done.error
    assert "nanmedian is from own_fails.py:" in done.error and "`return Own(lambda" in done.error
    assert done.error.endswith("x.sort(dim).values.select(dim, place).")
    assert "graph(" not in done.err  # TorchScript prints it
    assert "\x1b" not in done.err

    done = run("export", "own_fails:build_branch", "--json", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert "own_fails.py:" in done.error and "torch.where" in done.error
    lines = done.err.splitlines()  # torch logs a warning and prints the graph
    assert set(lines) == {"forward prints", f"Error: {done.error}"}


def test_files_are_named_after_module_and_function(run: Run, workspace: Path) -> None:
    text = """
        import torch
        def build(): return torch.nn.ReLU(), torch.zeros(2, 3)
        build_small = network = build
    """
    for package in ("own_first", "own_second"):
        write(workspace / package / "nets.py", text)

    def export(function: str) -> tuple[str, str]:
        done = run("export", function, "-f", "torch", "--no-verify", "--json")
        assert done.code == 0, done.err
        notes = [line for line in done.err.splitlines() if line.startswith("Note: ")]
        return done.json["artifact"], "".join(notes)

    assert export("own_first.nets:build") == ("nets.pt2", "")
    assert export("own_first.nets:build_small") == ("nets_small.pt2", "")
    assert export("own_first.nets:network") == ("nets_network.pt2", "")
    assert export("own_first.nets:build") == ("nets.pt2", "")  # the same source again
    name, note = export("own_second.nets:build")
    assert name == "nets.pt2"
    assert note.startswith(
        "Note: nets.pt2 replaced the file of that name exported from own_first.nets:build; choose "
    )
