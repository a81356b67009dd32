"""`tallylens serve`: the model behind a websocket, for devices that are too small for it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import positive

if TYPE_CHECKING:
    from tallylens.cloud_fallback.server.run import Address, Server

NAME = "serve"
HELP = "Serve a model to devices over a secured websocket."
EXAMPLES = """examples:
  tallylens serve --model yolov5m.onnx --dev
  tallylens serve --new-key "front door" --keys keys.toml
  tallylens serve --model yolov5m.onnx --host 0.0.0.0 --keys keys.toml \\
      --tls-cert cert.pem --tls-key key.pem

--dev makes a certificate authority and a key, listens on this machine only, and prints the one
line that a client needs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="yolov5n", help=".onnx, .tflite or .pt file, or a name in the store"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="default: 127.0.0.1")
    parser.add_argument("--port", type=_port, default=8443, metavar="P", help="default: 8443")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="who may connect (TOML)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (PEM)")
    parser.add_argument(
        "--token-secret", type=Path, metavar="FILE", help="signs tokens that outlive a restart"
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="https://...",
        help="web pages of this origin may connect, with a ticket",
    )
    parser.add_argument("--dev", action="store_true", help="try it on this machine")
    parser.add_argument("--new-key", metavar="NAME", help="add a key to --keys, print it, and end")
    parser.add_argument("--lanes", type=positive, metavar="N", help="default: one a core")
    parser.add_argument(
        "--log", choices=("debug", "info", "warning"), default="info", help="default: info"
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    from tallylens.extras import need_server

    need_server("serving a model")
    if options.new_key is not None:
        return _add_key(options)
    _check(options)
    from tallylens.cloud_fallback.server.logs import log_as_json
    from tallylens.cloud_fallback.server.run import run_loop

    log_as_json(options.log)
    run_loop(_serve(options))
    return 0


def _check(options: argparse.Namespace) -> None:
    from tallylens.edge_runtime.errors import UsageError

    given = options.keys or options.tls_cert or options.tls_key
    if options.dev and given:
        raise UsageError("--dev makes its own keys and certificates", "Leave the others away")
    if not options.dev and options.keys is None:
        raise UsageError(
            "there are no keys", "Make one with --new-key NAME --keys FILE, or try --dev"
        )


def _add_key(options: argparse.Namespace) -> int:
    """Append to the file; the key itself is shown once and kept nowhere."""
    from tallylens.cloud_fallback.server.authority import write_secret
    from tallylens.cloud_fallback.server.keys import KeyFile, entry, new_key
    from tallylens.edge_runtime.errors import UsageError

    name = options.new_key
    if options.keys is None:
        raise UsageError("there is no file for the key", "Give --keys FILE")
    if not name.isprintable() or '"' in name or "\\" in name or not 0 < len(name) <= 100:
        raise UsageError("such a name does not fit the file", "Use letters, digits and spaces")
    before = b""
    if options.keys.exists():
        KeyFile(options.keys)
        before = options.keys.read_bytes()
    key = new_key()
    write_secret(options.keys, before + entry(name, key).encode())
    print(key)
    print(f"tallylens: this key is shown once; {options.keys} holds its hash", file=sys.stderr)
    return 0


async def _serve(options: argparse.Namespace) -> None:
    import asyncio
    import contextlib
    import tempfile

    with contextlib.ExitStack() as stack:
        hint = None
        if options.dev:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallylens-dev-")))
            hint = _prepare_development(options, folder)
        server = _server(options)
        bound = stack.enter_context(server.bind())
        serving = asyncio.create_task(server.serve(bound))
        await server.listening.wait()
        if hint is not None and not serving.done():
            print(hint.format(port=server.port), flush=True)
        print(f"tallylens: listening on port {server.port}", file=sys.stderr, flush=True)
        await serving


def _prepare_development(options: argparse.Namespace, folder: Path) -> str:
    """An authority, a key, and the line to copy."""
    from tallylens.cloud_fallback.server.authority import make_authority
    from tallylens.cloud_fallback.server.keys import SCOPES, entry, new_key
    from tallylens.edge_runtime.errors import UsageError

    if options.host not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError("--dev listens on this machine only", "Leave --host away")
    ca, options.tls_cert, options.tls_key = make_authority(folder)
    key, options.keys = new_key(), folder / "keys.toml"
    options.keys.write_text(entry("development", key, SCOPES))
    return (
        f"TALLYLENS_API_KEY={key} tallylens count SOURCE --cloud wss://localhost:{{port}} --ca {ca}"
    )


def _server(options: argparse.Namespace) -> Server:
    from tallylens.cloud_fallback.server.auth import Auth
    from tallylens.cloud_fallback.server.keys import KeyFile
    from tallylens.cloud_fallback.server.models import Lanes
    from tallylens.cloud_fallback.server.run import Server
    from tallylens.cloud_fallback.server.service import Service
    from tallylens.models import LONGEST_SIDE, ready_model

    address = _address(options)
    secret = options.token_secret.read_bytes() if options.token_secret else None
    auth = Auth(KeyFile(options.keys), options.origin, secret)
    model = ready_model(options.model, frame_size=(LONGEST_SIDE, LONGEST_SIDE))
    return Server(Service(Lanes(model, options.lanes), auth), address)


def _address(options: argparse.Namespace) -> Address:
    from tallylens.cloud_fallback.server.run import Address

    address = Address(options.host, options.port, options.tls_cert, options.tls_key)
    address.check()
    return address
