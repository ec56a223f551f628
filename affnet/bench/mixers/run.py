"""Measuring token mixers, one setting after the other, all mixers of a setting in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import Protocol as MeasuringProtocol
from affnet.bench.measurement.sweep import sweep
from affnet.bench.mixers.grid import REFERENCE, Cell, FormatSupport, Grid, MixerProperties, Setting
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
from affnet.bench.store.recorder import Recorder
from affnet.devices.base import Device
from affnet.files import scratch_folder
from affnet.runtimes import get_runtime


class Export(Protocol):
    """Makes a file of a mixer for maps of a size, or says why the format cannot hold it."""

    def __call__(
        self, name: str, channels: int, size: tuple[int, int], format_: str, folder: Path
    ) -> Artifact | str:
        """See `affnet.export.token_mixers.export_mixer`."""
        ...


@dataclass
class Run:
    """One run of ``affnet bench mixers``."""

    mixers: Sequence[MixerProperties]
    export: Export
    device: Device
    protocol: MeasuringProtocol
    threads: int
    recorder: Recorder
    progress: Callable[[str], None] = lambda _: None
    cells: list[Cell] = field(default_factory=list)
    support: list[FormatSupport] = field(default_factory=list)

    def measure(self, settings: Sequence[Setting], formats: Sequence[str] = ()) -> Grid:
        """Measure all mixers in all settings, and try the other formats in the first.

        A mixer that a format cannot hold, or a setting that cannot be measured, does not end the
        run: its cells say why.

        Raises:
            MissingError: a format's tools are not installed.
            OutputError: a file could not be written.
        """
        for setting in settings:
            with scratch_folder() as folder:
                self._measure_setting(setting, folder)
        measured = {get_runtime(setting.runtime).format for setting in settings}
        for format_ in (name for name in formats if name not in measured):
            for mixer in self.mixers:
                with scratch_folder() as folder:
                    self._export(mixer.name, settings[0], format_, folder)
        return Grid(self.mixers, self.cells, self.support)

    def _export(self, name: str, setting: Setting, format_: str, folder: Path) -> Artifact | str:
        self.progress(f"Exporting {name} for maps of {setting.maps} to {format_}")
        size = (setting.height, setting.width)
        made = self.export(name, setting.channels, size, format_, folder)
        if isinstance(made, str):
            self.support.append(FormatSupport(name, format_, setting.maps, None, made))
        else:
            parity = made.manifest.parity
            error = parity.max_rel_error if parity else None
            self.support.append(FormatSupport(name, format_, setting.maps, error))
        return made

    def _measure_setting(self, setting: Setting, folder: Path) -> None:
        format_, jobs, reasons = get_runtime(setting.runtime).format, {}, {}
        for mixer in self.mixers:
            made = self._export(mixer.name, setting, format_, folder)
            if isinstance(made, str):
                reasons[mixer.name] = made
            else:
                jobs[mixer.name] = Job(made.manifest.model, made, setting.runtime)
        peer = jobs[REFERENCE].label if REFERENCE in jobs else None
        results: dict[str, Result] = {}
        if jobs:
            self.recorder.peer = peer
            (outcome,) = sweep(
                list(jobs.values()),
                [self.device],
                self.protocol,
                threads=self.threads,
                progress=lambda step: self.progress(f"{setting.maps}: {step}"),
                keep=self.recorder.keep,
            )
            if outcome.error:
                reasons |= dict.fromkeys(jobs, str(outcome.error))
            related = relate_to_peer(outcome.results, peer) if peer else outcome.results
            results = dict(zip(jobs, related, strict=False))
        self.cells += [
            Cell(t.name, setting, results.get(t.name), reasons.get(t.name)) for t in self.mixers
        ]
