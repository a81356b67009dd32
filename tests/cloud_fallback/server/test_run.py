"""Where a server may listen, and its certificate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallylens.cloud_fallback.server.keys import KeyFile
from tallylens.cloud_fallback.server.run import Address
from tallylens.edge_runtime.errors import InputError, UsageError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.org"])
def test_nothing_listens_to_others_without_tls(host: str) -> None:
    with pytest.raises(UsageError, match="is not a loopback address, and TLS is off"):
        Address(host).check()
    Address(host, certificate=Path("c"), key=Path("k")).check()
    with pytest.raises(UsageError, match="belong together"):
        Address(host, certificate=Path("c")).check()


def test_an_invalid_certificate_is_refused(tmp_path: Path, tiny_model: Path) -> None:
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
