"""Certificates that are replaced while the server runs: the new one, or the old and an error."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tallylens.cloud_fallback.server.certificates import CertificateFiles
from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
from tallylens.cloud_fallback.server.metrics import Metrics
from tallylens.edge_runtime.errors import InputError
from tests.support.running_service import PATIENCE_S, RunningService, ServiceFactory

Files = tuple[Path, Path, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_dev_certificates(tmp_path / "old")


@pytest.fixture
def others(tmp_path: Path) -> Files:
    return make_dev_certificates(tmp_path / "new")


def serial(running: RunningService, ca: Path) -> int:
    """Of the certificate that the server shows now to a client with this CA."""
    tls = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection(("127.0.0.1", running.port), PATIENCE_S) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        shown = wrapped.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def metric(running: RunningService, name: str) -> float:
    value = running.call(lambda: running.service.metrics.registry.get_sample_value(name))
    return float(value)


def test_a_new_certificate_is_shown_without_a_restart(
    tiny_model: Path, tmp_path: Path, files: Files, others: Files
) -> None:
    """Connections that are open keep what they have."""
    serve = ServiceFactory(tiny_model, files, tmp_path)
    try:
        running = serve(tls=True)
        before = serial(running, files[0])
        with running.session() as (websocket, _):
            for old, new in zip(files[1:], others[1:], strict=True):
                shutil.copy(new, old)
            running.sweep()
            assert serial(running, others[0]) != before
            websocket.ping().wait(PATIENCE_S)
        expected = x509.load_pem_x509_certificate(others[1].read_bytes()).not_valid_after_utc
        name = "tallylens_certificate_expiry_timestamp_seconds"
        assert metric(running, name) == expected.timestamp()
    finally:
        serve.close()


def test_an_invalid_pair_leaves_the_old_one_in_use(
    tiny_model: Path,
    tmp_path: Path,
    files: Files,
    others: Files,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Half of a replacement, as every tool that writes two files leaves for a moment."""
    caplog.set_level(logging.INFO, "tallylens.server")
    serve = ServiceFactory(tiny_model, files, tmp_path)
    try:
        running = serve(tls=True)
        before = serial(running, files[0])
        shutil.copy(others[1], files[1])
        for _ in range(3):
            running.sweep()
        assert serial(running, files[0]) == before
        assert metric(running, "tallylens_certificate_stale") == 1
        assert caplog.text.count("the old certificate stays in use") == 1
        shutil.copy(others[2], files[2])
        running.sweep()
        assert serial(running, others[0]) != before
        assert metric(running, "tallylens_certificate_stale") == 0
    finally:
        serve.close()


def test_a_service_without_tls_has_no_expiry(serve: ServiceFactory) -> None:
    assert metric(serve(), "tallylens_certificate_expiry_timestamp_seconds") == 0


def password(key: Path) -> bytes:
    loaded = load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


@pytest.mark.parametrize(
    "fault", ["missing", "empty", "no PEM", "another's key", "a password", "huge"]
)
def test_files_that_cannot_be_used_are_refused(fault: str, files: Files, others: Files) -> None:
    _, certificate, key = files
    pair = CertificateFiles(certificate, key)
    old: Any = pair.context
    contents = {
        "empty": b"",
        "no PEM": b"\xff\x00",
        "another's key": others[2].read_bytes(),
        "a password": password(key),
        "huge": b" " * ((1 << 20) + 1),
    }
    key.unlink()
    if fault in contents:
        key.write_bytes(contents[fault])
    with pytest.raises(InputError, match="the certificate and key cannot be used"):
        pair.refresh()
    assert pair.context is old
    assert pair.problem is not None
    assert not pair.refresh(), "an error is raised once per change"
    with pytest.raises(InputError):
        CertificateFiles(certificate, key)


def test_the_state_is_a_metric(files: Files) -> None:
    pair, metrics = CertificateFiles(*files[1:]), Metrics()
    pair.show_in(metrics)
    assert metrics.registry.get_sample_value("tallylens_certificate_stale") == 0
