"""The budgets of a model where none are written: no slower than its peer, and right."""

from __future__ import annotations

from pathlib import Path

from affnet.bench.budgets.budget_file import Budget, Budgets, Place, limit_text, usual_runtime

_PARITY = 1e-4  # of the largest output: what an export in float32 promises


def default_budgets(model: str, peer: str | None) -> Budgets:
    """Return budgets of ``model`` on this machine: its latency beside ``peer``, and its parity."""
    place = Place(runtime=usual_runtime([model, peer] if peer else [model]))
    budgets = [_budget(model, "parity", _PARITY, None, place)]
    if peer is not None:
        budgets.insert(0, _budget(model, "median", 1.0, peer, place))
    return Budgets(Path("budgets.toml"), {}, tuple(budgets), written=False)


def _budget(model: str, metric: str, limit: float, peer: str | None, place: Place) -> Budget:
    text = limit_text(limit, peer)
    return Budget(
        name=f"{metric} of {model} <= {text}",
        model=model,
        metric=metric,
        place=place,
        limit=limit,
        text=text,
        peer=peer,
        relative_to_baseline=False,
        line=1,
    )
