"""`tallylens doctor`: what is installed on this machine, and what is missing."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

from tallylens.commands.arguments import add_json, print_json

NAME = "doctor"
HELP = "Show what is installed, what is missing, how to get it, and how fast this machine is."
EXAMPLES = """examples:
  tallylens doctor
  tallylens doctor --no-speed --json"""

BASE = ("numpy", "opencv-python", "ai-edge-litert", "onnxruntime", "websockets")
SPEED_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-speed",
        action="store_true",
        help=f"omit the speed measurement, which takes {SPEED_S:g} s",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    document = examine(speed=not options.no_speed)
    if options.json:
        print_json(document)
        return 0
    print(f"tallylens {document['tallylens']}, Python {document['python']}, {document['system']}")
    print(f"cores     {document['cores']} ({document['usable_cores']} usable by this process)")
    for engine in document["engines"]:
        state = engine["version"] or "not installed"
        shown = f"engine    {engine['package']} {state} {' '.join(engine['providers'])}"
        print(shown.rstrip())
    for name, found in document["packages"].items():
        print(f"package   {name} {found or 'not installed'}")
    for name, extra in document["extras"].items():
        lacks = ", ".join(extra["missing"])
        state = f"missing {lacks}" if lacks else "complete"
        print(f"extra     {name} {state}")
    video = document["video"]
    shown = "" if video["interlaced"] else "; interlaced video is not decoded"
    print(f"video     {video['decoder']}{shown}")
    for name in ("cache", "here"):
        folder = document[name]
        print(f"{name:<9} {folder['path']} ({'' if folder['writable'] else 'not '}writable)")
    if document["speed"]:
        print(f"speed     {_shown(document['speed'])}")
    for remedy in document["remedies"]:
        print(f"fix       {remedy}")
    if not document["remedies"]:
        print("no problems found")
    return 0


def _shown(speed: dict[str, Any]) -> str:
    height, width = speed["input"]
    return (
        f"{speed['frames_per_s']:.0f} frames/s on one core: {speed['engine']}, model "
        f"{speed['model']} ({height}x{width}, int8), inference {speed['inference_ms']:.2f} ms, "
        f"pre/post-processing {speed['host_ms']:.2f} ms per frame"
    )


def examine(*, speed: bool) -> dict[str, Any]:
    """The document of `doctor --json`; its `speed` is None unless asked for."""
    from tallylens import store
    from tallylens.edge_runtime.detection.pipeline import usable_cores
    from tallylens.edge_runtime.engines import available_engines
    from tallylens.edge_runtime.sources.decoder_check import decodes_interlaced, video_decoder
    from tallylens.edge_runtime.version import __version__
    from tallylens.extras import EXTRAS, missing

    cache = _folder(store.home())
    extras = {name: missing(dict(modules)) for name, modules in EXTRAS.items()}
    engines = available_engines()
    remedies = [f"pip install 'tallylens[{name}]'" for name, lacks in extras.items() if lacks]
    video = {"decoder": video_decoder(), "interlaced": decodes_interlaced()}
    if not video["interlaced"]:
        remedies.append(
            "pip install 'tallylens[video]' or 'opencv-python<4.12' (interlaced video is blank)"
        )
    if not any(engine.version for engine in engines):
        remedies.append("pip install ai-edge-litert (no engine is installed)")
    if not cache["writable"]:
        remedies.append(f"set {store.HOME_VARIABLE} to a writable folder")
    return {
        "tallylens": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "engines": [
            {
                "name": one.name,
                "package": one.package,
                "version": one.version,
                "providers": list(one.providers),
            }
            for one in engines
        ],
        "packages": {name: _installed(name) for name in BASE},
        "extras": {name: {"missing": lacks} for name, lacks in extras.items()},
        "video": video,
        "cache": cache,
        "here": _folder(Path.cwd()),
        "speed": _speed() if speed else None,
        "remedies": remedies,
    }


def _installed(package: str) -> str | None:
    # Its own imports take a fifth of the time in which the command line starts.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _folder(path: Path) -> dict[str, Any]:
    """The path, and whether it (or its first parent that exists) is writable."""
    existing = next(one for one in (path, *path.resolve().parents) if one.exists())
    return {"path": str(path), "writable": os.access(existing, os.W_OK)}


def _speed() -> dict[str, Any]:
    """Measure the built-in model on one core for SPEED_S seconds."""
    import time

    from tallylens.built_in import DEMO
    from tallylens.demo.scene import Scene
    from tallylens.edge_runtime.detection.detector import Detector
    from tallylens.edge_runtime.engines import open_engine

    scene = Scene(0)
    images = [scene.frame(index).image for index in range(0, scene.frames, scene.frames // 8)]
    with open_engine(DEMO.path) as engine:
        detector = Detector(engine)
        started, frames = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < SPEED_S:
            detector.detect(images[frames % len(images)])
            frames += 1
        timing = detector.timing
        return {
            "model": DEMO.name,
            "engine": engine.name,
            "input": list(engine.metadata.input_size),
            "frames_per_s": round(frames / elapsed, 1),
            "inference_ms": round(timing.inference_ns / frames / 1e6, 3),
            "host_ms": round((timing.letterbox_ns + timing.decode_ns) / frames / 1e6, 3),
        }
