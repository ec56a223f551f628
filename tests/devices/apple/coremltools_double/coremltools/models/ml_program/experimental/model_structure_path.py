from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelStructurePath:
    @dataclass(frozen=True)
    class Program:
        @dataclass(frozen=True)
        class Operation:
            output_name: str

    components: tuple[Any, ...]
