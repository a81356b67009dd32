"""The options of `tallylens serve --videos` about accounts, and the settings that they make."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallylens.cloud_fallback.jobs.account_settings import AccountSettings
    from tallylens.cloud_fallback.jobs.plans import Plans


def add_account_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options about accounts."""
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="with --videos: the site's address, for links in e-mails",
    )
    parser.add_argument(
        "--captcha",
        choices=("turnstile", "hcaptcha"),
        help="with --videos: check that people register; the variable TALLYLENS_CAPTCHA_SECRET "
        "holds the site's secret",
    )
    parser.add_argument(
        "--captcha-site-key",
        metavar="KEY",
        help="of --captcha: the site's key, with which the pages show it",
    )
    parser.add_argument(
        "--webhook-network",
        action="append",
        default=[],
        metavar="NETWORK",
        help="with --videos: private network to which webhooks may go; may be repeated",
    )


def check_account_arguments(options: argparse.Namespace) -> None:
    """Raise UsageError for options that need --videos, without it."""
    from tallylens.edge_runtime.errors import UsageError

    captcha = options.captcha or options.captcha_site_key
    given = (options.plans, options.public_url, captcha, options.webhook_network)
    if options.videos is None and any(given):
        raise UsageError(
            "--plans, --public-url, --captcha and --webhook-network need --videos",
            "Add --videos DIR",
        )


def account_settings_of(options: argparse.Namespace) -> AccountSettings:
    """The settings of the options and of the environment; raises UsageError."""
    from tallylens.cloud_fallback.jobs.account_settings import account_settings

    url = options.public_url
    if url is None and options.port:
        scheme = "http" if options.tls_cert is None else "https"
        host = f"[{options.host}]" if ":" in options.host else options.host
        url = f"{scheme}://{host}:{options.port}"
    return account_settings(
        url,
        options.captcha,
        options.webhook_network,
        site_key=options.captcha_site_key,
        development=options.dev,
    )


def plans_of(options: argparse.Namespace) -> Plans:
    """The plans of --plans, or those that are shipped; raises InputError."""
    from tallylens.cloud_fallback.jobs.plan_file import read_plans, shipped_plans

    return shipped_plans() if options.plans is None else read_plans(options.plans)
