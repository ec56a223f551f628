"""The command line: its commands, and how each error ends."""

from __future__ import annotations

import functools
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer

from affnet import __version__, console
from affnet.commands import (
    bench,
    bench_mixers,
    bench_zoo,
    cache,
    check,
    compare,
    devices,
    doctor,
    evaluate,
    export,
    init,
    inspect,
    jobs,
    package,
    plan,
    publish,
    run,
    sign,
    store,
    verify,
    view,
    worker,
)
from affnet.commands.panels import PanelledCommand
from affnet.commands.project_defaults import FILLERS, ProjectCommand
from affnet.commands.two_words import TwoWordCommands
from affnet.errors import AffnetError
from affnet.escaping import for_terminal
from affnet.garbage import collected_rarely, exit_without_teardown

app = typer.Typer(
    name="affnet",
    cls=TwoWordCommands,
    help="Export, verify and measure vision networks with Fourier token mixers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        console.print_line(f"affnet {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show it."),
    ] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks of errors.")] = False,
) -> None:
    """Export, verify and measure vision networks with Fourier token mixers."""
    console.debug = debug


for command in (
    init.init,
    export.export,
    verify.verify,
    inspect.inspect,
    view.view,
    plan.plan,
    run.run,
    package.package,
    sign.sign,
    publish.publish,
    bench.bench,
    bench_mixers.bench_mixers,
    bench_zoo.bench_zoo,
    check.check,
    jobs.jobs,
    worker.worker,
    compare.compare,
    cache.cache,
    cache.cache_clear,
    doctor.doctor,
):
    name = command.__name__.replace("_", " ")
    app.command(name, cls=ProjectCommand if name in FILLERS else PanelledCommand)(command)
app.command("eval", cls=ProjectCommand)(evaluate.evaluate)
app.add_typer(devices.app, name="devices")
app.add_typer(store.app, name="store")


def _stop(signal_number: int, _: object) -> NoReturn:
    """End the command by an exception, so that temporary files are removed on the way out."""
    print("Interrupted; existing files were not changed.", file=sys.stderr)
    raise SystemExit(128 + signal_number)


def main() -> None:
    """Run the command line; turn every expected error into one sentence and its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with collected_rarely(), console.writing_stdout():  # imports of thousands of modules, too
            _run()
    except AffnetError as error:
        if console.debug:
            raise
        console.error(error)
        if error.exit_code == 1 and error.__cause__ and (reason := _mismatch_behind(error)):
            console.note(str(reason))
        sys.exit(error.exit_code)
    except MemoryError:  # anywhere: a file may declare any size
        if console.debug:
            raise
        print("Error: The memory of this machine does not suffice for this.", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if console.debug or (reason := _mismatch_behind(error)) is None:
            raise
        console.error(reason)
        sys.exit(reason.exit_code)


def _mismatch_behind(error: Exception) -> AffnetError | None:
    try:
        from affnet.installed import mismatch_behind
    except ImportError:  # it needs a package itself
        return None
    return mismatch_behind(error)


@functools.cache
def _command() -> Any:
    """Return the commands as typer makes them, once for a process that calls `main` often."""
    return typer.main.get_command(app)


def _run() -> NoReturn:
    """Run the command that the arguments name, and end with its exit code."""
    try:
        sys.exit(_command()(standalone_mode=False))
    except Exception as error:
        # typer's usage errors are click's, or its own copies of them, as its version goes
        if not hasattr(error, "format_message"):
            raise
        lines = error.message.split("\n")  # type: ignore[attr-defined]
        error.message = "\n".join(map(for_terminal, lines))  # type: ignore[attr-defined]
        error.show()  # type: ignore[attr-defined]
        sys.exit(error.exit_code)  # type: ignore[attr-defined]


def run_as_process() -> NoReturn:
    """Run the command line as the work of a process of its own, and end that."""
    exit_without_teardown(main)


if __name__ == "__main__":
    run_as_process()
