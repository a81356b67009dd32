"""`tallylens serve`: serve a model over a websocket to devices that are too small for it."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tallylens.commands.account_arguments import (
    check_account_arguments,
)
from tallylens.commands.serve_arguments import add_serve_arguments
from tallylens.commands.serve_settings import address_of, token_secret_of, video_settings_of
from tallylens.interruption import SIGNALS, Interrupted

if TYPE_CHECKING:
    from tallylens.cloud_fallback.jobs.extension import VideoExtension
    from tallylens.cloud_fallback.server.run import Server

NAME = "serve"
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
    add_serve_arguments(parser)


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
            from tallylens.commands.serve_cluster import serve_on_ray

            serve_on_ray(options, writer.write)
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
    hint = (
        f"TALLYLENS_API_KEY={key} tallylens count SOURCE --cloud wss://localhost:{{port}} --ca {ca}"
    )
    if options.videos is None:
        return hint
    mails = str(options.videos / "mail").replace("{", "{{").replace("}", "}}")
    page = f"the page is https://localhost:{{port}}; sign in with the key {key}, or register"
    return f"{hint}\ntallylens: {page} (e-mails are in {mails})"


def _videos(options: argparse.Namespace, stack: contextlib.ExitStack) -> VideoExtension | None:
    """The service of uploaded videos; None without --videos."""
    if options.videos is None:
        return None
    from tallylens.cloud_fallback.jobs.extension import VideoExtension
    from tallylens.job_model import job_model

    extension = VideoExtension(video_settings_of(options), job_model(options.model).digest)
    stack.callback(extension.close)
    return extension


def _start_workers(
    options: argparse.Namespace, videos: VideoExtension, stack: contextlib.ExitStack
) -> None:
    from tallylens.commands.worker import start_workers

    supervisor = start_workers(
        videos.service.settings,
        options.model,
        videos.service.database,
        options.workers,
        options.plans,
    )
    stack.callback(supervisor.stop)


def _server(options: argparse.Namespace, videos: VideoExtension | None) -> Server:
    from tallylens.cloud_fallback.server.auth import Auth
    from tallylens.cloud_fallback.server.keys import KeyFile
    from tallylens.cloud_fallback.server.models import ModelInstances
    from tallylens.cloud_fallback.server.proxies import TrustedProxies
    from tallylens.cloud_fallback.server.run import Server
    from tallylens.cloud_fallback.server.service import Service
    from tallylens.models import LONGEST_SIDE, ready_model

    address = address_of(options)
    proxies = TrustedProxies(options.trusted_proxy)
    auth = Auth(KeyFile(options.keys), options.origin, token_secret_of(options))
    model = ready_model(options.model, frame_size=(LONGEST_SIDE, LONGEST_SIDE))
    extensions = () if videos is None else (videos,)
    service = Service(ModelInstances(model, options.lanes), auth)
    return Server(
        service,
        address,
        proxies=proxies,
        drain_delay_s=options.drain_delay,
        extensions=extensions,
        own_process=True,
    )
