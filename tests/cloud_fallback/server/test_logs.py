"""A log that nobody reads, and the lines of refused clients."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from tallylens.cloud_fallback.server.log_writer import LineWriter
from tallylens.cloud_fallback.server.logs import log_as_json
from tests.support.running_service import PATIENCE_S, ServiceFactory, refused

LOGGERS = ("tallylens", "uvicorn", "asyncio", "uvicorn.error", "")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe; the loggers are as before afterwards."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(one, one.handlers, one.propagate, one.level) for one in loggers]
    read, write = os.pipe()
    yield read, write
    for one, handlers, propagate, level in before:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)
    os.close(read)
    os.close(write)


def read_until(read: int, last: bytes) -> list[str]:
    """The lines of the pipe, up to one that holds `last`."""
    content = b""
    while last not in content or not content.endswith(b"\n"):
        content += os.read(read, 1 << 16)
    return content.decode().splitlines()


def test_a_log_that_nobody_reads_blocks_nobody(pipe: tuple[int, int]) -> None:
    """64 KiB fill a pipe; here come twenty times as many, from a thread that must end."""
    read, write = pipe

    def log_much() -> None:
        writer = log_as_json("info", write)
        writer.write("tallylens: listening on port 1")
        logging.getLogger("tallylens.server").info("ready")
        for number in range(12_000):
            logging.getLogger("tallylens.server").info("refused", extra={"number": number})

    thread = threading.Thread(target=log_much, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    blocked = thread.is_alive()
    lines = read_until(read, b"log lines dropped")
    assert not blocked
    assert lines[0] == "tallylens: listening on port 1"
    assert json.loads(lines[1])["what"] == "ready"
    kept = [json.loads(line) for line in lines[2:-1]]
    numbers = [one["number"] for one in kept]
    # The first lines are complete; a later one is kept where the writer has just taken another.
    assert numbers[:10_000] == list(range(10_000))
    assert numbers == sorted(set(numbers))
    assert json.loads(lines[-1])["n"] == 12_000 - len(kept)


def test_lines_are_written_in_order_and_flushed(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = LineWriter(write)
    for number in range(5):
        writer.write(str(number))
    assert writer.flush(PATIENCE_S)
    assert read_until(read, b"4") == list("01234")
    assert not writer.dropped


def test_a_full_log_gives_up_at_the_end(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    os.set_blocking(write, True)
    writer = LineWriter(write, capacity=2)
    for _ in range(20):
        writer.write("a")
    assert not writer.flush(0.01)
    assert writer.dropped
    read_until(read, b"dropped")


def test_a_refusal_is_one_line_with_status_and_address(
    serve: ServiceFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    running = serve()
    refused(running, 401, key=None)
    refused(running, 400, subprotocols=["chat"])
    running.wait_until(lambda: not len(running.server.sockets))
    lines = [one for one in caplog.records if one.name.startswith(("tallylens", "uvicorn"))]
    said = [(vars(one)["status"], vars(one)["address"]) for one in lines if one.msg == "refused"]
    assert said == [(401, "127.0.0.1"), (400, "127.0.0.1")]
    assert not [one.getMessage() for one in lines if one.levelno > logging.INFO]
