"""Settings of accounts: the site's address, captcha, payments, webhooks."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...edge_runtime.errors import InputError, UsageError
from .sign_in.captcha import PROVIDERS, Captcha, NoCaptcha, ProviderCaptcha, Widget
from .sign_in.mailer import FolderMailer, Mailer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
CAPTCHA_VARIABLE = "TALLYLENS_CAPTCHA_SECRET"
STRIPE_VARIABLE = "TALLYLENS_STRIPE_SECRET"
PAYMENT_VARIABLE = "TALLYLENS_PAYMENT_SECRET"
"""Environment variables for secrets, which no list of processes shows."""
SECRET_BYTES = 32
SITE_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}")


@dataclass(frozen=True)
class AccountSettings:
    """Settings of accounts; the defaults need no configuration.

    Args:
        public_url: of the site, for links in e-mails; empty for the server on this machine.
        captcha: checks that a person registers.
        widget: that the forms of the pages show for it.
        mailer: sends e-mails; None writes them to the folder of the service.
        payment_secrets: {provider: the secret of its events}.
        webhook_networks: private networks to which webhooks may go; all public ones are allowed.
        any_port: let webhooks go to other ports than 443, for development.
    """

    public_url: str = ""
    captcha: Captcha = field(default_factory=NoCaptcha)
    widget: Widget | None = None
    mailer: Mailer | None = None
    payment_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_networks: tuple[Network, ...] = ()
    any_port: bool = False

    def open_mailer(self, folder: Path) -> Mailer:
        """The mailer; `folder` is that of the service."""
        return self.mailer or FolderMailer(folder / "mail")


def account_settings(
    public_url: str | None,
    captcha: str | None,
    webhook_networks: Sequence[str],
    *,
    site_key: str | None,
    development: bool,
    environment: Mapping[str, str] = os.environ,
) -> AccountSettings:
    """The settings of command line and environment.

    Raises:
        UsageError: one of them cannot be used.
    """
    secrets = {"stripe": STRIPE_VARIABLE, "standard": PAYMENT_VARIABLE}
    return AccountSettings(
        _url(public_url or ""),
        _captcha(captcha, environment.get(CAPTCHA_VARIABLE, "")),
        _widget(captcha, site_key),
        payment_secrets={
            name: environment[variable]
            for name, variable in secrets.items()
            if environment.get(variable)
        },
        webhook_networks=tuple(map(_network, webhook_networks)),
        any_port=development,
    )


def link_secret(folder: Path) -> bytes:
    """The secret that signs links, which the first process makes.

    Raises:
        InputError: its file is damaged.
    """
    path = folder / "link-secret"
    part = folder / f".link-secret.{os.getpid()}.part"
    if not path.exists():
        # Linked, not moved: of two processes one wins, and nobody reads half a file.
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(SECRET_BYTES))
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink()
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise InputError(path, "damaged", "Delete it: links in e-mails of the last hour end")
    return secret


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018
    except ValueError:
        parts = None
    if text and (parts is None or parts.scheme not in ("https", "http") or not parts.hostname):
        raise UsageError(f"--public-url {text[:100]} is not a URL", "Use https://HOST")
    return text.rstrip("/")


def _captcha(provider: str | None, secret: str) -> Captcha:
    if provider is None:
        return NoCaptcha()
    if not secret:
        raise UsageError(
            "--captcha needs the secret of the site", f"Set the variable {CAPTCHA_VARIABLE}"
        )
    return ProviderCaptcha(PROVIDERS[provider].check, secret)


def _widget(provider: str | None, site_key: str | None) -> Widget | None:
    if provider is None and site_key is None:
        return None
    if provider is None:
        raise UsageError("--captcha-site-key needs --captcha", "Add --captcha PROVIDER")
    if not site_key or SITE_KEY.fullmatch(site_key) is None:
        raise UsageError(
            "--captcha needs the site key, without which its form shows no captcha",
            "Add --captcha-site-key KEY, as the provider shows it",
        )
    return Widget(PROVIDERS[provider], site_key)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise UsageError(
            f"--webhook-network {text[:100]} is not a network", "Use 10.1.0.0/16"
        ) from None
