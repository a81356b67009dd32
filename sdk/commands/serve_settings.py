"""Settings of `tallylens serve` for one process and for a cluster, by the arguments."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tallylens.commands.account_arguments import account_settings_of, plans_of

if TYPE_CHECKING:
    from tallylens.cloud_fallback.jobs.settings import VideoSettings
    from tallylens.cloud_fallback.server.run import Address


def token_secret_of(options: argparse.Namespace) -> bytes | None:
    """The secret that signs tokens; None makes one."""
    from tallylens.cloud_fallback.server.auth import check_secret, read_token_secret

    return check_secret(read_token_secret(options.token_secret))


def video_settings_of(options: argparse.Namespace) -> VideoSettings:
    """The places of the service of uploaded videos."""
    import os

    from tallylens.cloud_fallback.jobs.settings import DATABASE_VARIABLE, VideoSettings

    database = options.database or os.environ.get(DATABASE_VARIABLE)
    return VideoSettings(
        # Absolute: the processes of a cluster have folders of their own.
        options.videos.absolute(),
        database,
        options.store,
        plans=plans_of(options),
        accounts=account_settings_of(options),
    )


def address_of(options: argparse.Namespace) -> Address:
    """Where it listens, checked."""
    from tallylens.cloud_fallback.server.run import Address

    address = Address(options.host, options.port, options.tls_cert, options.tls_key)
    address.check()
    return address
