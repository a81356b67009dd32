"""`serve` listens on one socket, which is documented; `serve --ray` is tested with the cluster."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.keys import entry, new_key
from tests.support.listening_sockets import Listening, children_of, listening


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", ["--dev", "--keys", "--videos"])
def test_a_server_listens_on_its_port_and_nothing_else(
    tiny_model: Path, tmp_path: Path, mode: str
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(entry("tester", new_key()))
    command = [sys.executable, "-m", "tallylens", "serve", "--port", "0", "--lanes", "1"]
    options = {
        "--dev": ["--dev"],
        "--keys": ["--keys", str(keys)],
        "--videos": ["--keys", str(keys), "--videos", str(tmp_path / "videos"), "--workers", "1"],
    }
    command += ["--model", str(tiny_model), *options[mode]]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        port = 0
        while not port:
            line = process.stderr.readline()
            assert line, "the server ended before it listened"
            _, found, text = line.partition("listening on port ")
            port = int(text) if found else 0
        if mode == "--videos":
            # Its worker listens on nothing once it is up, and neither does what it runs on.
            wait_for_children(process.pid)
        assert listening(process.pid) == {Listening(process.pid, "127.0.0.1", port)}
    finally:
        process.terminate()
        process.communicate(timeout=60)


def wait_for_children(process: int) -> None:
    deadline = time.monotonic() + 60
    while len(children_of(process)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(3.0)
