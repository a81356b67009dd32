"""`serve` listens on one socket, which is documented; `serve --ray` is tested with the cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.keys import entry, new_key
from tests.support.listening_sockets import Listening, listening


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("mode", ["--dev", "--keys"])
def test_a_server_listens_on_its_port_and_nothing_else(
    tiny_model: Path, tmp_path: Path, mode: str
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(entry("tester", new_key()))
    command = [sys.executable, "-m", "tallylens", "serve", "--port", "0", "--lanes", "1"]
    command += ["--model", str(tiny_model), *([mode] if mode == "--dev" else [mode, str(keys)])]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        port = 0
        while not port:
            _, found, text = process.stderr.readline().partition("listening on port ")
            port = int(text) if found else 0
        assert listening(process.pid) == {Listening(process.pid, "127.0.0.1", port)}
    finally:
        process.kill()
        process.communicate()
