"""The development CA."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path


def test_the_development_ca_signs_for_localhost(certificates: tuple[Path, Path, Path]) -> None:
    ca, certificate, key = certificates
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    assert ssl.create_default_context(cafile=ca).get_ca_certs()[0]["subject"] == (
        (("commonName", "tallylens development CA"),),
    )
