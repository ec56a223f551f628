"""What the command line leaves open, filled in from the project file and this folder.

A command of the class `ProjectCommand` has its open parameters filled before it runs, so that its
function need not know where they come from.  What the command line says always wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet import console
from affnet.commands.panels import PanelledCommand
from affnet.errors import (
    CheckpointError,
    ConfigError,
    ImageSizeError,
    LabelsError,
    UnknownNameError,
    UsageError,
)
from affnet.names import split_names

if TYPE_CHECKING:
    from affnet.project.default_models import Comparison
    from affnet.project.default_source import ModelChoice
    from affnet.project.project_file import Project

#: The key of the project file that an error in loading its model is about.
_BLAMED: dict[type[UsageError], str] = {
    ConfigError: "config",
    CheckpointError: "model",
    ImageSizeError: "image_size",
    LabelsError: "labels",
}
_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class Request:
    """A command's parameters: which of them were given, and what fills the others."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.project: Project | None = None
        self.choice: ModelChoice | None = None  # where the command names no model
        self.table: tuple[str, ...] | None = None  # of the file of budgets, that holds them

    def given(self, name: str) -> bool:
        """Return whether the command line, or an environment variable, says it."""
        source = self._context.get_parameter_source(name)
        return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")

    def value(self, name: str) -> Any:
        """Return what a parameter is now."""
        return self._context.params.get(name)

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set those parameters of the command that are left open; None leaves one as it is."""
        self._context.params |= {
            name: value
            for name, value in values.items()
            if value is not None and name in self._context.params and not self.given(name)
        }

    def put(self, values: Mapping[str, Any]) -> None:
        """Set parameters of the command, given or not."""
        self._context.params |= values

    def note(self, text: str) -> None:
        """Say what was taken, on stderr, unless the command is to be quiet."""
        console.note(text, bool(self.value("quiet")))

    def take_model(self, argument: str) -> ModelChoice:
        """Choose the model of a command that names none, and say which it is."""
        from affnet.project.default_source import choose_source

        self.choice = choose_source(self.project)
        self.note(self.choice.sentence(argument))
        return self.choice

    def take_comparison(
        self, image_size: tuple[int, int] | None, against: list[str] | None
    ) -> Comparison:
        """Choose what a command measures that names no model."""
        from affnet.project.default_models import choose_comparison
        from affnet.project.default_source import choose_source

        self.choice, peers = choose_source(self.project), against or []
        if self.project is not None and not peers:
            named = self.project.settings.bench.peers
            peers = [self.project.resolve_model(name) for name in named]
        return choose_comparison(self.choice, peers, image_size)

    def take_artifact(self) -> Path:
        """Choose the artifact of a command that names none, and say which it is."""
        from affnet.project.last_export import last_export

        output = _path(self.project, self.project.settings.export.output) if self.project else None
        path, reason = last_export(output or Path())
        self.note(f"No ARTIFACT given: using {path}, {reason}.")
        return path

    def blame(self, error: UsageError) -> None:
        """Raise `ProjectError`, with line and key, where the project's model is at fault."""
        from affnet.errors import ProjectError

        project, choice = self.project, self.choice
        if project is None or choice is None or choice.source != project.model():
            return
        if isinstance(error, ProjectError):
            return
        key = next((key for kind, key in _BLAMED.items() if isinstance(error, kind)), None)
        if isinstance(error, UnknownNameError) and repr(choice.source) in str(error):
            key = "model"
        if key is None or self.given(key):
            return
        key = key if key in choice.settings else "model"
        project.fail(("source", key), f"is wrong: {error}")


class ProjectCommand(PanelledCommand):
    """A command whose open parameters are filled by a function of `FILLERS`."""

    # Any: typer's context is click's, or its own copy of it, as its version goes
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line, then fill in what they leave open."""
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            from affnet.project.project_file import find_project

            ctx.obj = request = Request(ctx)
            request.project = find_project()
            FILLERS[str(self.name)](request)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; where the project's model cannot be loaded, name line and key."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            ctx.obj.blame(error)
            raise


def _fill_export(request: Request) -> None:
    _fill_cluster(request)
    project = request.project
    if project is not None:
        request.fill({"output": _path(project, project.settings.export.output)})
    if request.value("source"):
        return
    choice = request.take_model("SOURCE")
    request.fill({"source": choice.source, **choice.settings})
    if project is None:
        return
    export = project.settings.export
    request.fill(
        {
            "format_": ",".join(export.formats) or None,
            "precision": ",".join(export.precisions) or None,
            "prove_on": ",".join(export.prove_on) or None,
        }
    )
    from affnet.export.quantization import AUTO, LOSSY

    asked = set(split_names(request.value("precision") or ""))
    if not asked.isdisjoint((*LOSSY, AUTO)):
        data = export.calibration_data
        folder = data if data in (None, "bundled") else project.resolve(data)
        request.fill({"calibration_data": folder})


def _path(project: Project, text: str | None) -> Path | None:
    return None if text is None else Path(project.resolve(text))


def _fill_cluster(request: Request) -> None:
    if request.project is not None and request.project.settings.cluster is not None:
        request.fill({"cluster": request.project.settings.cluster.scheduler})


def _fill_bench(request: Request) -> None:
    _fill_places(request)
    _fill_cluster(request)
    if request.project is not None:
        bench = request.project.settings.bench
        request.fill(
            {
                "device": ",".join(bench.devices) or None,
                "runtime": ",".join(bench.runtimes) or None,
            }
        )


def _fill_places(request: Request) -> None:
    """Fill in where devices are described, and where results are kept."""
    if request.project is not None:
        bench = request.project.settings.bench
        store = bench.store
        if store is not None and "://" not in store:
            store = request.project.resolve(store)
        devices_file = _path(request.project, bench.devices_file)
        request.fill({"devices_file": devices_file, "store": store})


def _fill_check(request: Request) -> None:
    from affnet.project.project_file import BUDGETS

    _fill_places(request)
    _fill_cluster(request)
    if request.given("budgets"):
        return
    found = request.project.budgets_file() if request.project else None
    if found is None and Path(BUDGETS).is_file():
        found = Path(BUDGETS), None
    if found is not None:
        path, request.table = found
        request.fill({"budgets": path})
        if path != Path(BUDGETS):
            request.note(f"No --budgets given: using those of {path}.")


def _fill_verify(request: Request) -> None:
    if not request.given("artifact"):
        request.fill({"artifact": request.take_artifact()})


def _fill_eval(request: Request) -> None:
    _fill_cluster(request)
    if not request.given("model"):
        request.fill({"model": str(request.take_artifact())})


def _fill_run(request: Request) -> None:
    words = [request.value("artifact")] if request.given("artifact") else []
    words += request.value("images") or []
    # the first word is an image where the artifact is left open
    if words and Path(words[0]).suffix.lower() in _IMAGES:
        request.put({"artifact": request.take_artifact(), "images": words})
    elif request.value("inputs"):
        if not words:
            request.fill({"artifact": request.take_artifact()})
    elif len(words) < 2:
        raise UsageError(
            "There is no image to run on: affnet run [ARTIFACT] IMAGE...; arrays: --input NAME=FILE"
        )


FILLERS: dict[str, Callable[[Request], None]] = {
    "bench": _fill_bench,
    "bench mixers": _fill_cluster,
    "bench zoo": _fill_cluster,
    "check": _fill_check,
    "eval": _fill_eval,
    "export": _fill_export,
    "jobs": _fill_cluster,
    "run": _fill_run,
    "verify": _fill_verify,
    "worker": _fill_cluster,
}
