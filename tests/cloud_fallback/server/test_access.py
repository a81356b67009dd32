"""Addresses, keys and files: what is accepted, and what every refusal says."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallylens.cloud_fallback.client.credentials import Secret, find_key
from tallylens.cloud_fallback.server.keys import KeyFile, Plan, entry, hash_of, new_key
from tallylens.cloud_fallback.server.run import Address
from tallylens.cloud_fallback.wire.url import is_loopback, stream_url
from tallylens.edge_runtime.errors import InputError, UsageError


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("wss://host:8443", "wss://host:8443/v1/stream"),
        ("wss://host", "wss://host/v1/stream"),
        ("wss://host/behind/", "wss://host/behind/v1/stream"),
        ("wss://host/v1/stream", "wss://host/v1/stream"),
        ("ws://localhost:1", "ws://localhost:1/v1/stream"),
        ("ws://127.0.0.1:1", "ws://127.0.0.1:1/v1/stream"),
        ("ws://[::1]:1", "ws://[::1]:1/v1/stream"),
    ],
)
def test_addresses(given: str, url: str) -> None:
    assert stream_url(given) == url


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("https://host", "is not a websocket address"),
        ("wss://", "is not a websocket address"),
        ("wss://host:port", "is not a websocket address"),
        ("wss://[", "is not a websocket address"),
        ("wss://key@host", "holds more than an address"),
        ("wss://host/?key=tlk_1", "holds more than an address"),
        ("ws://host:8443", "send images unencrypted"),
        ("ws://127.0.0.1.example", "send images unencrypted"),
    ],
)
def test_addresses_that_are_refused(given: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        stream_url(given)
    assert "tlk_1" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_loopback(host: str, near: bool) -> None:
    assert is_loopback(host) == near


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tlk_2\n")
    assert find_key({"TALLYLENS_API_KEY": " tlk_1 "}).reveal() == "tlk_1"
    assert find_key({"TALLYLENS_API_KEY_FILE": str(file)}).reveal() == "tlk_2"
    for environment in ({}, {"TALLYLENS_API_KEY": "two words"}, {"TALLYLENS_API_KEY": "x" * 5000}):
        with pytest.raises(UsageError):
            find_key(environment)
    with pytest.raises(InputError, match="No such file"):
        find_key({"TALLYLENS_API_KEY_FILE": str(tmp_path / "none")})


def test_a_secret_does_not_show_itself() -> None:
    assert "tlk_1" not in f"{Secret('tlk_1')} {Secret('tlk_1')!r} {[Secret('tlk_1')]}"


def test_a_file_of_keys(tmp_path: Path) -> None:
    path, key = tmp_path / "keys.toml", new_key()
    plan = "[plans.small]\nconnections = 1\nframes_per_second = 2\nframes_per_day = 3\n"
    limits = 'plan = "small"\nexpires = 2030-01-02T03:04:05Z\n'
    path.write_text(plan + entry("door", key, ("detect",)) + limits)
    assert key not in path.read_text()
    (found,) = KeyFile(path).keys.values()
    assert (found.name, found.sha256, found.scopes) == ("door", hash_of(key), frozenset({"detect"}))
    assert found.plan == Plan(1, 2, 3)
    assert found.expires == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_file_that_becomes_unreadable_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(entry("door", new_key()))
    keys = KeyFile(path)
    assert not keys.refresh()
    path.write_text("[[keys]]\nname = 4\n")
    with pytest.raises(InputError, match="key 1 has no name"):
        keys.refresh()
    assert len(keys.keys) == 1
    path.write_text("")
    assert keys.refresh()
    assert not keys.keys


GOOD = f'name = "a"\nsha256 = "{"0" * 64}"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[keys", "not TOML"),
        ("keys = 4", "keys is not a list"),
        ("keys = [4]", "a value stands where a table should"),
        ("plans = 4", "a value stands where a table should"),
        ("[plans.p]\nspeed = 4", "plan p: speed is unknown"),
        ("[plans.p]\nconnections = 0", "plan p: connections is unknown, or not a number above 0"),
        ("[plans.p]\nconnections = true", "plan p: connections"),
        ('[[keys]]\nname = "a"\nsha256 = "abc"', "key a: sha256 is not 64 hexadecimal digits"),
        (f'[[keys]]\n{GOOD}scopes = ["root"]', "key a: scopes are detect, count"),
        (f"[[keys]]\n{GOOD}scopes = 1", "key a: scopes are detect, count"),
        (f'[[keys]]\n{GOOD}expires = "soon"', "key a: expires is not a time"),
        (f"[[keys]]\n{GOOD}expires = 2030-01-01T00:00:00", "key a: expires is not a time"),
        (f'[[keys]]\n{GOOD}plan = "gold"', "key a: there is no plan 'gold'"),
    ],
)
def test_files_of_keys_that_make_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        KeyFile(path)
    assert problem in str(refused.value)


def test_the_development_authority(certificates: tuple[Path, Path, Path]) -> None:
    ca, certificate, key = certificates
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    assert ssl.create_default_context(cafile=ca).get_ca_certs()[0]["subject"] == (
        (("commonName", "tallylens development CA"),),
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.org"])
def test_nothing_listens_to_others_without_tls(host: str) -> None:
    with pytest.raises(UsageError, match="is not a loopback address, and there is no TLS"):
        Address(host).check()
    Address(host, certificate=Path("c"), key=Path("k")).check()
    with pytest.raises(UsageError, match="belong together"):
        Address(host, certificate=Path("c")).check()


def test_a_wrong_certificate_is_told(tmp_path: Path, tiny_model: Path) -> None:
    from tallylens.cloud_fallback.server.auth import Auth
    from tallylens.cloud_fallback.server.models import ModelInstances
    from tallylens.cloud_fallback.server.run import Server
    from tallylens.cloud_fallback.server.service import Service

    (tmp_path / "cert.pem").write_text("no certificate")
    (tmp_path / "keys.toml").write_text("")
    instances = ModelInstances(tiny_model, 1)
    service = Service(instances, Auth(KeyFile(tmp_path / "keys.toml")))
    address = Address("127.0.0.1", 0, tmp_path / "cert.pem", tmp_path / "cert.pem")
    with pytest.raises(InputError, match="the certificate and key cannot be used"):
        Server(service, address)
    instances.close()
