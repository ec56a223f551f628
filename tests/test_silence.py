from __future__ import annotations

import logging
import os
import sys
import threading
import warnings

import pytest

from affnet.silence import silenced, stdout_to_stderr


def test_all_that_is_printed_is_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced() as printed:
        print("a print")
        warnings.warn("a warning", stacklevel=1)
        logging.getLogger("noisy").error("a log record")
        os.write(1, b"a C library on stdout\n")
        os.write(2, b"a C library on stderr\n---\n")
        assert printed.last_line() == "a C library on stderr"
    print("after")
    assert capfd.readouterr() == ("after\n", "")


def test_a_library_may_ask_the_streams_what_they_are() -> None:
    with silenced():
        assert sys.stdout.encoding.lower() == sys.stderr.encoding.lower() == "utf-8"
        os.write(sys.stderr.fileno(), b"by its descriptor\n")


def test_streams_are_restored_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    streams = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="failed"), silenced():
        raise ValueError("failed")
    assert (sys.stdout, sys.stderr) == streams
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_a_progress_bar_in_another_thread_is_still_seen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with silenced():
        bar = threading.Thread(target=lambda: print("bar", file=sys.stderr))
        bar.start()
        bar.join()
        print("hidden", file=sys.stderr)
    assert capfd.readouterr().err == "bar\n"


def test_handlers_made_inside_write_to_the_stream_afterwards(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with silenced():
        handler = logging.StreamHandler()  # libraries make theirs when they are imported
    handler.emit(logging.makeLogRecord({"msg": "later"}))
    assert capfd.readouterr().err == "later\n"


def test_the_root_logger_is_left_as_it_was() -> None:
    before = list(logging.root.handlers)
    with silenced():
        logging.root.addHandler(logging.NullHandler())
    assert logging.root.handlers == before


def test_standard_output_can_be_left_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced(stdout=False):
        print("the user's")
        os.write(2, b"a library's\n")
    assert capfd.readouterr() == ("the user's\n", "")


def test_standard_output_is_kept_for_one_writer(capfd: pytest.CaptureFixture[str]) -> None:
    stream = sys.stdout
    with pytest.raises(ValueError, match="failed"), stdout_to_stderr() as results:
        print("a print")
        os.write(1, b"a C library\n")
        with silenced():
            print("a library's")
        with silenced(stdout=False):
            print("another print")
        print("{}", file=results)
        raise ValueError("failed")
    assert sys.stdout is stream
    print("after")
    assert capfd.readouterr() == ("{}\nafter\n", "a print\na C library\nanother print\n")
