"""Which module makes a call while a network runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules import module as hooks


class ModuleCalls:
    """The modules of a network that are being called, the innermost last."""

    def __init__(self, network: nn.Module) -> None:
        self._names = {id(module): name for name, module in network.named_modules()}
        self._called: list[nn.Module] = []

    def stack(self) -> dict[str, tuple[str, str]]:
        """Return path and class of each, as torch.export notes them in ``nn_module_stack``."""
        known = ((self._names[id(module)], type(module)) for module in self._called)
        return {f"m{n}": (path, _full_name(kind)) for n, (path, kind) in enumerate(known)}

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Know them for as long as this lasts."""

        def enter(module: nn.Module, _: Any) -> None:
            if id(module) in self._names:
                self._called.append(module)

        def leave(module: nn.Module, *_: Any) -> None:
            if self._called and self._called[-1] is module:
                self._called.pop()

        entering = hooks.register_module_forward_pre_hook(enter)
        leaving = hooks.register_module_forward_hook(leave, always_call=True)
        try:
            yield
        finally:
            entering.remove()
            leaving.remove()


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
