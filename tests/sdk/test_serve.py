"""`tallylens serve` as an operator types it, and `count --cloud` against it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.client.connection import CloudClient
from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.server.keys import KeyFile, entry, hash_of, new_key

PATIENCE_S = 60.0
LINE = "0,0.5,1,0.5"


@pytest.fixture
def development(tiny_model: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tallylens", "serve", "--dev", "--port", "0"]
    command += ["--model", str(tiny_model), "--lanes", "1", "--log", "debug"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_the_line_it_prints_is_all_that_a_client_needs(
    development: subprocess.Popen[str],
    tiny_model: Path,
    crossing: Path,
    tallylens: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert development.stdout is not None
    assignment, *command = shlex.split(development.stdout.readline())
    assert command[:3] == ["tallylens", "count", "SOURCE"]
    variable, _, key = assignment.partition("=")
    monkeypatch.setenv(variable, key)
    arguments = ["count", crossing, *command[3:], "--model", tiny_model, "--line", LINE, "--json"]
    outcome = tallylens(*arguments, "--offload", "always")
    assert outcome.status == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["unique"] == {"car": 1, "person": 1}
    assert document["offload"]["frames"] == {"local": 0, "cloud": 30, "skip": 0}
    never = tallylens(*arguments, "--offload", "never")
    assert json.loads(never.out)["lines"] == document["lines"]
    monkeypatch.setenv(variable, "tlk_" + "0" * 32)
    refused = tallylens(*arguments)
    assert (refused.status, refused.out) == (4, "")
    assert "it does not know this key" in refused.err
    development.send_signal(signal.SIGTERM)
    _, log = development.communicate(timeout=60)
    assert key not in log
    assert "Traceback" not in log
    assert '"what": "session"' in log


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for other processes")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("when", ["starting", "serving"])
def test_an_ended_server_leaves_nothing(
    tiny_model: Path, tmp_path: Path, when: str, name: str
) -> None:
    """A planned end succeeds; the key of --dev is gone from the temporary folder."""
    command = [sys.executable, "-m", "tallylens", "serve", "--dev", "--port", "0"]
    command += ["--model", str(tiny_model), "--lanes", "1"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    if when == "serving":
        process.stdout.readline()
    else:
        while not list(tmp_path.glob("tallylens-dev-*/keys.toml")):
            assert process.poll() is None, "the server ended before it made its key"
            time.sleep(0.001)
    process.send_signal(getattr(signal, name))
    _, log = process.communicate(timeout=60)
    assert process.returncode == (130 if name == "SIGINT" else 0), log
    assert not list(tmp_path.glob("tallylens-dev-*"))
    assert "Traceback" not in log


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for other processes")
def test_new_clients_are_taken_until_the_load_balancer_knows(
    tiny_model: Path, tmp_path: Path, free_port: int
) -> None:
    """After SIGTERM `/readyz` is 503 at once, and the socket stays open for --drain-delay."""
    keys = tmp_path / "keys.toml"
    key = new_key()
    keys.write_text(entry("tester", key))
    command = [sys.executable, "-m", "tallylens", "serve", "--model", str(tiny_model)]
    command += ["--keys", str(keys), "--port", str(free_port), "--drain-delay", "3"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: status(free_port, "/readyz") == 200)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: status(free_port, "/readyz") == 503)
        client = CloudClient(f"ws://127.0.0.1:{free_port}", Secret(key))
        assert client.start(PATIENCE_S) is not None
        assert status(free_port, "/healthz") == 200
        assert process.wait(60) == 0
        client.close()
    finally:
        process.kill()
        process.communicate()


def status(port: int, path: str) -> int:
    """The status of a page; 0 where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_without_a_key_nothing_is_sent(
    tiny_model: Path, crossing: Path, tallylens: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TALLYLENS_API_KEY", raising=False)
    outcome = tallylens("count", crossing, "--model", tiny_model, "--cloud", "wss://host")
    assert outcome.status == 2
    assert outcome.err == (
        "tallylens: no API key. Set TALLYLENS_API_KEY, or TALLYLENS_API_KEY_FILE to a file.\n"
    )


def test_a_new_key_is_shown_once_and_kept_as_a_hash(
    tmp_path: Path, tallylens: Callable[..., Any]
) -> None:
    path = tmp_path / "keys.toml"
    keys = []
    for name in ("front door", "back door"):
        outcome = tallylens("serve", "--new-key", name, "--keys", path)
        assert outcome.status == 0
        keys.append(outcome.out.strip())
        assert re.fullmatch("tlk_[0-9a-f]{32}", keys[-1])
    assert set(KeyFile(path).keys) == {hash_of(key) for key in keys}
    assert path.stat().st_mode & 0o077 == 0
    assert not any(key in path.read_text() for key in keys)


def test_a_new_key_has_scopes_an_end_and_a_plan(
    tmp_path: Path, tallylens: Callable[..., Any]
) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("[plans.small]\nconnections = 1\n")
    options = ["--scopes", "metrics", "--expires", "2999-01-31", "--plan", "small"]
    outcome = tallylens("serve", "--new-key", "prometheus", "--keys", path, *options)
    assert outcome.status == 0
    (key,) = KeyFile(path).keys.values()
    assert (sorted(key.scopes), key.plan.connections) == (["metrics"], 1)
    assert key.expires == datetime(2999, 1, 31, tzinfo=UTC)
    assert tallylens("serve", "--revoke", "prometheus", "--keys", path).status == 0
    assert not KeyFile(path).keys
    assert "[plans.small]" in path.read_text()


@pytest.mark.parametrize(
    ("size", "status", "problem"),
    [(None, 3, "secret: No such file"), (31, 2, "the secret of tokens has 31 bytes")],
)
def test_the_secret_of_tokens_must_be_there_and_long(
    tmp_path: Path,
    tiny_model: Path,
    tallylens: Callable[..., Any],
    size: int | None,
    status: int,
    problem: str,
) -> None:
    keys, secret = tmp_path / "keys.toml", tmp_path / "secret"
    keys.write_text("")
    if size is not None:
        secret.write_bytes(bytes(size))
    outcome = tallylens("serve", "--model", tiny_model, "--keys", keys, "--token-secret", secret)
    assert outcome.status == status
    assert problem in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        ([], 2, "no API keys"),
        (["--dev", "--keys", "keys.toml"], 2, "--dev makes its own keys"),
        (["--dev", "--host", "0.0.0.0"], 2, "--dev listens on this machine only"),
        (["--keys", "none.toml"], 3, "none.toml: No such file"),
        (["--keys", "none.toml", "--host", "0.0.0.0"], 2, "TLS is off"),
        (["--keys", "none.toml", "--drain-delay", "-1"], 2, "is not a number of seconds"),
        (["--new-key", "a"], 2, "--new-key needs a key file"),
        (["--new-key", 'a"b', "--keys", "k.toml"], 2, "--new-key: invalid name"),
        (["--new-key", "a", "--keys", "k.toml", "--scopes", "root"], 2, "--scopes: unknown scope"),
        (["--new-key", "a", "--keys", "k.toml", "--plan", "gold"], 3, "unknown plan 'gold'"),
        (["--new-key", "a", "--keys", "k.toml", "--expires", "soon"], 2, "is not a future time"),
        (["--new-key", "a", "--expires", "1999-01-01"], 2, "is not a future time"),
        (["--new-key", "a", "--keys", "none/k.toml"], 3, "No such file"),
        (["--revoke", "a"], 2, "--revoke needs a key file"),
        (["--revoke", "a", "--keys", "none.toml"], 3, "none.toml: No such file"),
        (["--revoke", "a", "--new-key", "b", "--keys", "k.toml"], 2, "--new-key excludes"),
        (["--dev", "--plan", "gold"], 2, "--scopes, --expires and --plan need --new-key"),
        (["--port", "70000"], 2, "is not a port"),
        (["--dev", "--ray"], 2, "--dev excludes --ray"),
        (["--keys", "k.toml", "--replicas", "1,2"], 2, "need --ray"),
        (["--keys", "k.toml", "--ray", "--replicas", "1,0"], 2, "is not two numbers"),
        (["--keys", "k.toml", "--ray", "--lanes", "2"], 2, "--ray excludes --lanes"),
    ],
)
def test_what_cannot_be_served(
    tiny_model: Path,
    tallylens: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = tallylens("serve", "--model", tiny_model, *arguments)
    assert outcome.status == status
    assert problem in outcome.err
    assert "Traceback" not in outcome.err
