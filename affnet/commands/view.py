"""``affnet view``."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affnet import console
from affnet.commands.options import QuietOption
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.artifact import Artifact


def view(
    file: Annotated[Path, typer.Argument(help="An ONNX file that export made, or another tool.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")
    ] = True,
    profile: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Time its operators here, first.")
    ] = True,
    threads: Annotated[int, typer.Option(min=1, help="Of the profiled runs.")] = 1,
    write: Annotated[
        Path | None,
        typer.Option(help="Write graph and node data of Model Explorer into this new folder."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Show a file's graph in Model Explorer, with operator times and Fourier plan; Ctrl-C ends it.

    Example: affnet view emoji.onnx
    """
    from affnet.runtimes.foreign import open_file

    artifact = open_file(file)
    if artifact.manifest.format != "onnx":
        raise UsageError(
            f"{file} is in the format {artifact.manifest.format}, of which no graph is drawn",
            "export it with --format onnx of affnet export.",
        )
    if write is None:
        from affnet.viewing.server import page_files

        page_files()  # what is not installed is said before a profile is taken
    graph, data = _graph(artifact, threads if profile else None, quiet)
    if write is not None:
        _write(write, graph, data)
        console.print_fields({"written": str(write)})
        return
    from affnet.viewing.server import GraphServer

    server = GraphServer(file.name, graph, data, port)
    console.print_fields({"graph": server.url})
    console.note("Ctrl-C ends it.", quiet)
    if browser:
        import webbrowser

        webbrowser.open(server.url)
    server.serve_until_interrupted()


def _graph(artifact: Artifact, threads: int | None, quiet: bool) -> tuple[Any, list[Any]]:
    """Return the graph, and the data of its nodes with their titles."""
    import onnx

    from affnet.bench.measurement.profiling import modules_of
    from affnet.viewing.graph import graph_of, plan_data

    manifest, modules = artifact.manifest, modules_of(artifact.path)
    model, name = onnx.load(artifact.path, load_external_data=False), artifact.path.name
    data = []
    if threads is not None:
        with console.progress(quiet, animated=False) as show:
            show(f"Timing the operators of {name}")
            data += _times(artifact, model.graph, threads, quiet)
    if manifest.fft_plan:
        plan = plan_data(model.graph, name, manifest.fft_plan)
        data.append(("FFT plan", plan))
    known = manifest if artifact.proven else None
    return graph_of(model, name, modules, known), data


def _times(artifact: Artifact, graph: Any, threads: int, quiet: bool) -> list[tuple[str, Any]]:
    from affnet.bench.measurement.profiling import original_name, take_profile
    from affnet.devices.host import HostDevice
    from affnet.viewing.graph import keyed, times_data

    found = take_profile(artifact, "onnxruntime", HostDevice(), threads)
    if isinstance(found, str):
        console.note(f"{found[:1].upper()}{found[1:]}.", quiet)
        return []
    # the runtime calls a node by its name, or by that of the tensor that it makes
    keys = {name: key for key, node in keyed(graph) for name in (*node.output, node.name)}
    times: dict[str, int] = {}
    elsewhere = 0
    for one in found:
        key = keys.get(one.name) or keys.get(original_name(one.name))
        if key is None:
            elsewhere += one.mean_ns
        else:
            times[key] = times.get(key, 0) + one.mean_ns
    if elsewhere:
        share = elsewhere / max(1, sum(one.mean_ns for one in found))
        console.note(f"{share:.0%} of the time is of operators that the runtime added.", quiet)
    return [("ms", times_data(times, artifact.path.name))]


def _write(folder: Path, graph: Any, data: list[tuple[str, Any]]) -> None:
    from affnet.files import publish, staging_folder

    if folder.exists():
        raise UsageError(f"{folder} exists", "name a new folder with --write.")
    with staging_folder(folder.absolute().parent) as staging:
        made = staging / folder.name
        made.mkdir()
        for title, content in [("graph", {"graphs": [graph]}), *data]:
            (made / f"{title.replace(' ', '-')}.json").write_text(json_text.dumps(content))
        publish([made], folder.absolute().parent)
