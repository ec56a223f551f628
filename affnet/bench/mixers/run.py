"""Measuring token mixers, one setting after the other, all mixers of a setting in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from affnet.artifact import Artifact
from affnet.bench.measurement.batches import Batch, MeasureBatches
from affnet.bench.measurement.interleaved import Job
from affnet.bench.mixers.grid import REFERENCE, Cell, FormatSupport, Grid, MixerProperties, Setting
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.ratios import relate_to_peer
from affnet.bench.results.result import Result
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
class _Exported:
    """The mixers of one setting, each a job or a reason why there is none."""

    setting: Setting
    jobs: dict[str, Job] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def peer(self) -> str | None:
        """The row that the others' ratios are to."""
        return self.jobs[REFERENCE].label if REFERENCE in self.jobs else None


@dataclass
class Run:
    """One run of ``affnet bench mixers``."""

    mixers: Sequence[MixerProperties]
    export: Export
    measure_batches: MeasureBatches
    progress: Callable[[str], None] = lambda _: None
    #: The row that each row's ratio is to, as far as they have been exported.
    peers: dict[str, str] = field(default_factory=dict)
    support: list[FormatSupport] = field(default_factory=list)

    def measure(self, settings: Sequence[Setting], formats: Sequence[str] = ()) -> Grid:
        """Measure all mixers in all settings, and try the other formats in the first.

        A mixer that a format cannot hold, or a setting that cannot be measured, does not end the
        run: its cells say why.

        Raises:
            MissingError: a format's tools are not installed.
            OutputError: a file could not be written.
        """
        with scratch_folder() as folder:
            exported: list[_Exported] = []
            outcomes = list(self.measure_batches(self._batches(settings, folder, exported)))
        cells = list[Cell]()
        for one in exported:
            cells += self._cells(one, outcomes.pop(0) if one.jobs else None)
        measured = {get_runtime(setting.runtime).format for setting in settings}
        for format_ in (name for name in formats if name not in measured):
            for mixer in self.mixers:
                with scratch_folder() as folder:
                    self._export(mixer.name, settings[0], format_, folder)
        return Grid(self.mixers, cells, self.support)

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

    def _batches(
        self, settings: Sequence[Setting], folder: Path, exported: list[_Exported]
    ) -> Iterator[Batch]:
        """Export the mixers of each setting, add them to ``exported``, and yield what can run."""
        for setting in settings:
            one = _Exported(setting)
            format_ = get_runtime(setting.runtime).format
            own = Path(tempfile.mkdtemp(dir=folder))
            for mixer in self.mixers:
                made = self._export(mixer.name, setting, format_, own)
                if isinstance(made, str):
                    one.reasons[mixer.name] = made
                else:
                    one.jobs[mixer.name] = Job(made.manifest.model, made, setting.runtime)
            exported.append(one)
            if one.peer is not None:
                self.peers |= {job.label: one.peer for job in one.jobs.values()}
            if one.jobs:
                yield Batch(setting.maps, list(one.jobs.values()))

    def _cells(self, one: _Exported, outcome: DeviceOutcome | None) -> list[Cell]:
        reasons, results = dict(one.reasons), dict[str, Result]()
        if outcome is not None and outcome.error:
            reasons |= dict.fromkeys(one.jobs, str(outcome.error))
        elif outcome is not None:
            related = relate_to_peer(outcome.results, self.peers, partial=outcome.error is not None)
            results = dict(zip(one.jobs, related, strict=True))
        return [
            Cell(t.name, one.setting, results.get(t.name), reasons.get(t.name)) for t in self.mixers
        ]
