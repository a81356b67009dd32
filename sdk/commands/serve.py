"""`tallylens serve`: serve a model over a websocket to devices that are too small for it."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tallylens.commands.account_arguments import (
    account_settings_of,
    add_account_arguments,
    check_account_arguments,
    plans_of,
)
from tallylens.commands.arguments import above_zero, positive
from tallylens.commands.worker import add_places
from tallylens.interruption import SIGNALS, Interrupted

if TYPE_CHECKING:
    from tallylens.cloud_fallback.cluster.config import ClusterConfig
    from tallylens.cloud_fallback.jobs.service import VideoService
    from tallylens.cloud_fallback.server.run import Address, Server

NAME = "serve"
MAX_DRAIN_DELAY_S = 3600
MAX_END_S = 90.0
HELP = "Serve a model to devices over a secure websocket."
EXAMPLES = """examples:
  tallylens serve --model yolov5m.onnx --dev
  tallylens serve --new-key "front door" --keys keys.toml
  tallylens serve --model yolov5m.onnx --host 0.0.0.0 --keys keys.toml \\
      --tls-cert cert.pem --tls-key key.pem
  tallylens serve --model yolov5m.onnx --ray --replicas 2,4 --gpus 1 --keys keys.toml

--dev makes a development CA and a key, listens on this machine only, and prints the command that
a client runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def run(options: argparse.Namespace) -> int:
    from tallylens.extras import need_server, need_store, need_videos

    need_server("serving a model")
    if options.videos is not None:
        need_videos("serving uploaded videos")
        if options.store is not None:
            need_store("an object store")
    if options.new_key is not None or options.revoke is not None:
        return _edit_keys(options)
    _check(options)
    from tallylens.cloud_fallback.server.logs import log_as_json
    from tallylens.cloud_fallback.server.run import run_loop

    writer = log_as_json(options.log)
    with _ended_by_signals():
        if options.ray:
            _serve_on_ray(options, writer.write)
        else:
            run_loop(_serve(options, writer.write))
    return 0


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Until the server handles them itself, signals end the command at once and leave no file."""

    def end(number: int, _: FrameType | None) -> None:
        # A planned end succeeds; Ctrl-C is an interruption, as for every command.
        raise Interrupted(number) if number == signal.SIGINT else SystemExit(0)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in SIGNALS if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    heard = [one for one in numbers if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(options: argparse.Namespace) -> None:
    from tallylens.edge_runtime.errors import UsageError

    if options.scopes or options.expires or options.plan:
        raise UsageError("--scopes, --expires and --plan need --new-key", "Add --new-key NAME")
    given = options.keys or options.tls_cert or options.tls_key
    if options.dev and given:
        raise UsageError(
            "--dev makes its own keys and certificates", "Omit --keys, --tls-cert and --tls-key"
        )
    if not options.dev and options.keys is None:
        raise UsageError("no API keys", "Create one with --new-key NAME --keys FILE, or try --dev")
    if options.dev and options.ray:
        raise UsageError("--dev excludes --ray", "Omit one of them")
    if not options.ray and (options.replicas or options.gpus):
        raise UsageError("--replicas and --gpus need --ray", "Add --ray, or omit them")
    of_videos = (options.database, options.store, options.workers)
    if options.videos is None and any(one is not None for one in of_videos):
        raise UsageError("--database, --store and --workers need --videos", "Add --videos DIR")
    check_account_arguments(options)
    if options.ray and options.videos is not None:
        raise UsageError("--ray excludes --videos", "Serve videos from another process")
    if options.ray and options.lanes:
        raise UsageError("--ray excludes --lanes", "Use --replicas with --ray")


def _edit_keys(options: argparse.Namespace) -> int:
    """Add a key to the key file, or revoke one."""
    from tallylens.cloud_fallback.server.key_editing import add_key, revoke
    from tallylens.edge_runtime.errors import UsageError

    path: Path | None = options.keys
    if options.new_key is not None and options.revoke is not None:
        raise UsageError("--new-key excludes --revoke", "Do one after the other")
    if path is None:
        option = "--revoke" if options.new_key is None else "--new-key"
        raise UsageError(f"{option} needs a key file", "Add --keys FILE")
    if options.new_key is None:
        number = revoke(path, options.revoke)
        print(f"tallylens: {number} of the keys in {path} revoked", file=sys.stderr)
        return 0
    scopes = options.scopes or ("detect", "count")
    # The key itself is stored nowhere.
    print(add_key(path, options.new_key, scopes, options.expires, options.plan or ""))
    print(f"tallylens: this key is shown only once; {path} holds its hash", file=sys.stderr)
    return 0


async def _serve(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    import asyncio
    import tempfile

    with contextlib.ExitStack() as stack:
        hint = None
        if options.dev:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallylens-dev-")))
            hint = _prepare_development(options, folder)
        videos = _videos(options, stack)
        server = _server(options, videos)
        bound = stack.enter_context(server.bind())
        serving = asyncio.create_task(server.serve(bound))
        await server.listening.wait()
        if hint is not None and not serving.done():
            print(hint.format(port=server.port), flush=True)
        say(f"tallylens: listening on port {server.port}")
        if videos is not None:
            _start_workers(options, videos, stack)
        await serving


def _serve_on_ray(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Deploy on Ray, and shut down in order at a signal."""
    import secrets

    from tallylens.extras import need_cluster

    need_cluster("serving on Ray")
    from tallylens.cloud_fallback.cluster.config import ClusterConfig
    from tallylens.cloud_fallback.cluster.local_cluster import connect, private_folder
    from tallylens.models import LONGEST_SIDE, ready_model

    address = _address(options)
    # One secret for all replicas: a token that one signs is checked by another.
    token_secret = _token_secret(options) or secrets.token_bytes(32)
    model = ready_model(options.model, frame_size=(LONGEST_SIDE, LONGEST_SIDE))
    config = ClusterConfig(
        model.resolve(),
        options.keys.resolve(),
        address.resolved(),
        tuple(options.origin),
        token_secret,
        options.replicas or (2, 2),
        gpus=options.gpus or 0.0,
        drain_delay_s=options.drain_delay,
        proxies=tuple(options.trusted_proxy),
    )
    with private_folder() as folder:
        connect(folder)
        _deploy_until_signal(config, say)


def _deploy_until_signal(config: ClusterConfig, say: Callable[[str], None]) -> None:
    """Deploy on the connected cluster, and take everything down at a signal."""
    from tallylens.cloud_fallback.cluster.deployment import deploy, shutdown
    from tallylens.edge_runtime.errors import UnavailableError

    ended = threading.Event()
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ended.set())
    say(f"tallylens: listening on port {deploy(config)}")
    ended.wait()
    # In a thread: a call to a Ray that has failed may never return.
    ending = threading.Thread(target=shutdown, args=(config.drain_delay_s,), daemon=True)
    ending.start()
    ending.join(MAX_END_S + config.drain_delay_s)
    if ending.is_alive():
        raise UnavailableError("Ray did not end", "End its processes: ray stop --force")


def _token_secret(options: argparse.Namespace) -> bytes | None:
    from tallylens.cloud_fallback.server.auth import check_secret, read_token_secret

    return check_secret(read_token_secret(options.token_secret))


def _prepare_development(options: argparse.Namespace, folder: Path) -> str:
    """Make a development CA and a key; returns the command that a client runs."""
    from tallylens.cloud_fallback.server.dev_certificates import make_dev_certificates
    from tallylens.cloud_fallback.server.keys import SCOPES, entry, new_key
    from tallylens.edge_runtime.errors import UsageError

    if options.host not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError("--dev listens on this machine only", "Omit --host")
    ca, options.tls_cert, options.tls_key = make_dev_certificates(folder)
    key, options.keys = new_key(), folder / "keys.toml"
    options.keys.write_text(entry("development", key, SCOPES))
    return (
        f"TALLYLENS_API_KEY={key} tallylens count SOURCE --cloud wss://localhost:{{port}} --ca {ca}"
    )


def _videos(options: argparse.Namespace, stack: contextlib.ExitStack) -> VideoService | None:
    """The service of uploaded videos; None without --videos."""
    if options.videos is None:
        return None
    import os

    from tallylens.cloud_fallback.jobs.service import VideoService
    from tallylens.cloud_fallback.jobs.settings import DATABASE_VARIABLE, VideoSettings
    from tallylens.job_model import job_model

    database = options.database or os.environ.get(DATABASE_VARIABLE)
    settings = VideoSettings(
        options.videos,
        database,
        options.store,
        plans=plans_of(options),
        accounts=account_settings_of(options),
    )
    service = VideoService(settings, job_model(options.model).digest)
    stack.callback(service.close)
    return service


def _start_workers(
    options: argparse.Namespace, videos: VideoService, stack: contextlib.ExitStack
) -> None:
    from tallylens.commands.worker import start_workers

    supervisor = start_workers(
        videos.settings, options.model, videos.database, options.workers, options.plans
    )
    stack.callback(supervisor.stop)


def _server(options: argparse.Namespace, videos: VideoService | None) -> Server:
    from tallylens.cloud_fallback.server.auth import Auth
    from tallylens.cloud_fallback.server.keys import KeyFile
    from tallylens.cloud_fallback.server.models import ModelInstances
    from tallylens.cloud_fallback.server.proxies import TrustedProxies
    from tallylens.cloud_fallback.server.run import Server
    from tallylens.cloud_fallback.server.service import Service
    from tallylens.models import LONGEST_SIDE, ready_model

    address = _address(options)
    proxies = TrustedProxies(options.trusted_proxy)
    auth = Auth(KeyFile(options.keys), options.origin, _token_secret(options))
    model = ready_model(options.model, frame_size=(LONGEST_SIDE, LONGEST_SIDE))
    extensions = () if videos is None else (videos,)
    service = Service(ModelInstances(model, options.lanes), auth)
    return Server(
        service,
        address,
        proxies=proxies,
        drain_delay_s=options.drain_delay,
        extensions=extensions,
    )


def _address(options: argparse.Namespace) -> Address:
    from tallylens.cloud_fallback.server.run import Address

    address = Address(options.host, options.port, options.tls_cert, options.tls_key)
    address.check()
    return address
