"""What a reader must know to trust a table of results, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from affnet.bench.results.result import QUOTED, Result, quoted_metrics
from affnet.units import MEGABYTES

#: Behind a ratio that compares different work.
DOUBTED = "(*)"
_X86 = ("x86_64", "AMD64", "amd64")


def data_sets(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return name and fingerprint of each data set on which an accuracy was measured."""
    return list(dict.fromkeys((a.dataset, a.fingerprint) for r in results for a in r.accuracy))


def _in_sessions(results: Sequence[Result]) -> bool:
    """Whether models of one device and runtime were measured in other turns, with the peer."""
    return all(r.ratio_to_peer for r in results) and len(
        {(r.device, r.runtime, r.session) for r in results}
    ) > len({(r.device, r.runtime) for r in results})


def _course_notes(results: Sequence[Result]) -> list[str]:
    """Say how the measurements went, where that is not one run of turns."""
    lines = [
        f"Under load for {r.protocol.removeprefix('sustained ')} {r.model} {curve.sentence()}."
        for r in results
        if (curve := r.sustained)
    ]
    if _in_sessions(results):
        whole = "those of one runtime" if len({r.runtime for r in results}) > 1 else "all"
        lines.append(
            "Measured in groups, one after the other, the peer in each: ratios compare "
            f"{whole}, milliseconds only those of a group."
        )
    return lines


def table_notes(results: Sequence[Result]) -> list[str]:
    """Return what a reader must know to trust the table, a sentence each."""
    by_device: dict[str, list[Result]] = {}
    for result in results:
        by_device.setdefault(result.device, []).append(result)
    lines = [device_note(group) for group in by_device.values()]
    lines += _hosted_notes(results)
    lines += _memory_notes(results)
    lines += _course_notes(results)
    if random := dict.fromkeys(r.model for r in results if r.has_random_weights):
        lines.append(
            f"Random weights: {', '.join(random)}; latency does not depend on them, "
            "the quoted accuracy is that of the published weights."
        )
    lines += [
        f"Measured accuracy on {name}: {_images_of(results, name, key)} images, of this very file."
        for name, key in data_sets(results)
    ]
    lines += _quoted_notes(results)
    lines += _ratio_notes(results)
    lines += _layout_notes(results)
    lines += [f"{limit}." for limit in dict.fromkeys(why for r in results for why in r.limits)]
    several = len(by_device) > 1
    lines += [_placement_note(r, several) for r in results if r.placement and r.placement.fallen]
    if proven := [r.parity.max_rel_error for r in results if r.parity and r.parity.passed]:
        lines.append(
            "Outputs on the device agree with this machine's: "
            f"the largest error is {max(proven):.1e} of the largest output."
        )
    if doubts := [why for group in by_device.values() for why in _doubts(group, several)]:
        lines.append(f"Not valid for publication: {'; '.join(doubts)}.")
    return lines


def _quoted_notes(results: Sequence[Result]) -> list[str]:
    """Say which numbers were published, and by whom those of each model."""
    lines = []
    for field, name in QUOTED.items():
        models: dict[str, dict[str, None]] = {}
        for result in results:
            if result.published and field in quoted_metrics(result.published):
                models.setdefault(result.published["source"], {})[result.model] = None
        if models:
            parts = [f"of {', '.join(named)} from {source}" for source, named in models.items()]
            lines.append(f"Quoted, not measured: {name} {'; '.join(parts)}.")
    return lines


def _ratio_notes(results: Sequence[Result]) -> list[str]:
    """Say which ratios compare different work, as the table marks them."""
    doubts = dict.fromkeys(why for result in results for why in result.ratio_doubts)
    if not doubts:
        return []
    return [
        f"{DOUBTED} This ratio compares different work: {'; '.join(doubts)}; "
        "export both alike, for images with --image-size."
    ]


def _layout_notes(results: Sequence[Result]) -> list[str]:
    """Say that ratios of one runtime on x86 are not those of Arm."""
    if not any(
        r.ratio_to_peer and r.runtime == "onnxruntime" and r.environment.get("architecture") in _X86
        for r in results
    ):
        return []
    return [
        "On x86 ONNX Runtime lays maps out in blocks of channels, which speeds networks up "
        "unequally; it has no such layout on Arm, so that ratios there differ "
        "(docs/performance.md)."
    ]


def _doubts(results: Sequence[Result], several_devices: bool) -> list[str]:
    """Return why results of one device are not valid, each with the models that it is about."""
    several_runtimes = len({result.runtime for result in results}) > 1
    found: dict[str, dict[str, None]] = {}
    for r in results:
        name = f"{r.model} on {r.runtime}" if several_runtimes else r.model
        for why in r.validity_reasons:
            found.setdefault(why, {})[name] = None
    count = len({(result.model, result.runtime) for result in results})
    place = f"{results[0].device}: " if several_devices else ""
    return [
        f"{place}{why}" if len(names) == count else f"{place}{why} ({', '.join(names)})"
        for why, names in sorted(found.items())
    ]


def _images_of(results: Sequence[Result], dataset: str, fingerprint: str) -> int:
    known = (a for result in results for a in result.accuracy)
    return next(a.images for a in known if (a.dataset, a.fingerprint) == (dataset, fingerprint))


def device_note(results: Sequence[Result]) -> str:
    """Say how the results of one device came about."""
    first = results[0]
    if first.is_computed:
        return f"Not measured: {first.device} computes its numbers from the size of each model."
    runtimes = sorted({f"{r.runtime} {r.runtime_version}" for r in results})
    runs = min(r.runs for r in results)
    cpu = first.environment.get("model") or first.environment.get("cpu", "unknown processor")
    if first.hosted:
        return (
            f"Hosted: {first.hosted} measured on its {cpu}, {', '.join(runtimes)}, protocol "
            f"{first.protocol}: {runs} runs or more each. {_memory_note(results)}"
        )
    return (
        f"Measured on {first.device} ({cpu}), {', '.join(runtimes)}, {first.threads} thread(s), "
        f"protocol {first.protocol}: {runs} runs or more each, in turns. {_memory_note(results)}"
    )


def _hosted_notes(results: Sequence[Result]) -> list[str]:
    """Say which rows were measured otherwise than those beside them."""
    hosted = dict.fromkeys(r.device for r in results if r.hosted)
    if not hosted or all(r.hosted for r in results):
        return []
    return [
        f"Rows of {', '.join(hosted)} are hosted results: a service measured them by a protocol of "
        "its own, so that their latencies do not compare with the others'."
    ]


def _memory_note(results: Sequence[Result]) -> str:
    if all(result.peak_rss_bytes is None for result in results):
        return "Memory is not available on this device."
    if results[0].hosted:
        return "Memory is the peak of inference that the service reports."
    return "Memory is the peak of a whole process, runtime included."


def _memory_notes(results: Sequence[Result]) -> list[str]:
    """Say what else is known of the memory, where anything is."""
    several = len({result.runtime for result in results}) > 1
    names = [f"{r.model} on {r.runtime}" if several else r.model for r in results]
    shared = zip(names, (result.pss_bytes for result in results), strict=True)
    own = zip(names, (result.runtime_bytes for result in results), strict=True)
    lines = []
    for what, found in (
        ("PSS, in which pages that processes share count by their share", shared),
        ("The runtime's own account of its memory", own),
    ):
        known = [f"{name} {MEGABYTES.text(size)}" for name, size in found if size]
        if known:
            lines.append(f"{what}: {', '.join(dict.fromkeys(known))}.")
    return lines


def _placement_note(result: Result, several: bool) -> str:
    """Say which operators run elsewhere than they were asked to, and why."""
    assert result.placement is not None  # it is asked before
    where = f" on {result.device}" if several else ""
    return (
        f"Operators of {result.model}{where}: {result.placement.text()}: "
        f"{result.placement.fallen_text()}."
    )
