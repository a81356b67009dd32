"""The certificate and private key of a server, read again when their files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from ...edge_runtime.errors import InputError
from .changed_files import file_stamp
from .metrics import Metrics

log = logging.getLogger("tallylens.server")
MAX_FILE_BYTES = 1 << 20


class CertificateFiles:
    """The TLS settings of new connections, from files that may be replaced at any time.

    Attributes:
        context: the settings with the newest valid files. Connections that are open keep theirs.
        expires: when the certificate in use expires, unix seconds.
        problem: why the files as they are now cannot be used; None where they are in use.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the files.

        Raises:
            InputError: missing, no PEM files, or not a pair.
        """
        self._certificate, self._key = certificate, key
        self._stamp = self._newest_stamp()
        self.problem: InputError | None = None
        self.context, self.expires = self._load()

    def refresh(self) -> bool:
        """Read the files if one has changed; whether one had.

        Raises:
            InputError: they cannot be used, raised once per change; the pair read before stays in
                use, and `problem` says so.
        """
        stamp = self._newest_stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            (self.context, self.expires), self.problem = self._load(), None
        except InputError as error:
            self.problem = error
            raise
        return True

    def refresh_or_log(self) -> None:
        """Read the files if one has changed; an error is logged once per change."""
        try:
            if self.refresh():
                log.info("certificate read", extra={"expires": int(self.expires)})
        except InputError as error:
            log.error("the old certificate stays in use", extra={"problem": str(error)})

    def show_in(self, metrics: Metrics) -> None:
        """Report the state of the files as metrics."""
        metrics.watch_certificate(lambda: self.problem is not None, lambda: self.expires)

    def _newest_stamp(self) -> tuple[tuple[int, ...], ...]:
        return file_stamp(self._certificate), file_stamp(self._key)

    def _load(self) -> tuple[ssl.SSLContext, float]:
        # A new context: one in use would be left with half of a pair that does not match.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            for path in (self._certificate, self._key):
                if path.stat().st_size > MAX_FILE_BYTES:
                    raise OSError(f"{path} is too large")
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
            return context, _expiry(self._certificate)
        except (OSError, ValueError) as error:
            raise InputError(
                self._certificate,
                "the certificate and key cannot be used",
                "Give both as PEM files, the key without a password",
            ) from error


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal, which would stop the event loop."""
    raise ValueError("the private key has a password")


def _expiry(certificate: Path) -> float:
    """When the first certificate of a PEM file expires, unix seconds."""
    from cryptography import x509

    with certificate.open("rb") as file:
        content = file.read(MAX_FILE_BYTES)
    return x509.load_pem_x509_certificate(content).not_valid_after_utc.timestamp()
