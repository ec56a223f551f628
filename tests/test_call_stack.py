"""Room for the frames of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable

from affnet.call_stack import roomy


def test_a_function_is_called_as_it_is() -> None:
    def divided(a: int, *, by: int) -> float:
        return a / by

    assert roomy(divided)(3, by=2) == 1.5


def test_errors_pass_and_deep_recursion_still_works() -> None:
    def depth(left: int) -> int:
        return 0 if left == 0 else 1 + depth(left - 1)

    assert roomy(depth)(900) == 900


def test_other_threads_have_room_of_their_own() -> None:
    found: list[int] = []
    add: Callable[[int], None] = roomy(found.append)
    thread = threading.Thread(target=add, args=(1,))
    thread.start()
    thread.join()
    assert found == [1]
