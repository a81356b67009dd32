"""The arguments of `tallylens serve`, and what their values may be."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from tallylens.commands.account_arguments import add_account_arguments
from tallylens.commands.arguments import above_zero, positive
from tallylens.commands.worker import add_places

MAX_DRAIN_DELAY_S = 3600


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all of them."""
    parser.add_argument(
        "--model",
        default="yolov5n",
        help="model file (.onnx, .tflite, .pt), or a name in the model store (default: yolov5n)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8443,
        metavar="P",
        help="port; 0 takes a free one (default: 8443)",
    )
    parser.add_argument("--keys", type=Path, metavar="FILE", help="API keys of the clients (TOML)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain (PEM)")
    parser.add_argument(
        "--tls-key", type=Path, metavar="FILE", help="private key of --tls-cert (PEM)"
    )
    parser.add_argument(
        "--token-secret",
        type=Path,
        metavar="FILE",
        help="secret that signs tokens, so that they survive restarts",
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="https://...",
        help="allow web pages of this origin to connect, with a ticket; may be repeated",
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="proxy or network whose X-Forwarded-For names the client; may be repeated",
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="development mode: own keys and certificates, this machine only",
    )
    parser.add_argument("--new-key", metavar="NAME", help="add a key to --keys, print it and exit")
    parser.add_argument(
        "--scopes",
        type=lambda text: tuple(text.split(",")),
        metavar="A,B",
        help="of --new-key: detect, count, token, metrics, videos (default: detect,count)",
    )
    parser.add_argument(
        "--expires", type=_expiry, metavar="DATE", help="of --new-key, such as 2030-01-31"
    )
    parser.add_argument("--plan", metavar="PLAN", help="of --new-key: a plan in --keys")
    parser.add_argument("--revoke", metavar="NAME", help="remove a key from --keys and exit")
    parser.add_argument(
        "--ray", action="store_true", help="serve from many processes and machines with Ray"
    )
    parser.add_argument(
        "--replicas",
        type=_replicas,
        metavar="N,M",
        help="Ray replicas: N websocket ingress, M detector (default: 2,2)",
    )
    parser.add_argument(
        "--gpus", type=above_zero, metavar="X", help="GPUs per detector replica, with --ray"
    )
    parser.add_argument(
        "--lanes", type=positive, metavar="N", help="model instances (default: one per core)"
    )
    add_places(parser, required=False)
    parser.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="with --videos: worker processes here; 0 leaves the videos to other machines "
        "(default: one per core, or one per GPU for a model of convert --server)",
    )
    add_account_arguments(parser)
    parser.add_argument(
        "--drain-delay",
        type=_seconds,
        default=0.0,
        metavar="S",
        help="after SIGTERM, take new clients for S seconds while /readyz answers 503 (default: 0)",
    )
    parser.add_argument(
        "--log",
        choices=("debug", "info", "warning"),
        default="info",
        help="minimum level of log messages (default: info)",
    )


def _replicas(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(one.isascii() and one.isdigit() and int(one) for one in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not two numbers above 0, such as 2,4")
    return int(parts[0]), int(parts[1])


def _expiry(text: str) -> datetime:
    from tallylens.cloud_fallback.server.key_editing import parse_expiry

    try:
        return parse_expiry(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a future time such as 2030-01-31"
        ) from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_DRAIN_DELAY_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from 0 to {MAX_DRAIN_DELAY_S}"
        )
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1000")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)
