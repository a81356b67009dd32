"""Customers beside each other: a victim beside a greedy key, and images that fail the model."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
import time
import urllib.request
from collections.abc import Iterator

import cv2
import numpy as np

from tallylens.cloud_fallback.server.batch_detection import detect_each
from tallylens.cloud_fallback.server.image_decoding import decode_image
from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.server.models import ModelInstances
from tallylens.cloud_fallback.wire.frames import FrameHeader
from tallylens.edge_runtime.types import Detections

from .load import Load, picture
from .work import PLAN, Row, Work, free_port

SIDES = (320, 176)
SECONDS = 10.0
THIN = (40_000, 1)


def _flood(work: Work, port: int, content: bytes, key: str, sessions: int) -> None:
    async def all_of_them() -> None:
        loads = [Load(work, port, content, SIDES, key) for _ in range(sessions)]
        await asyncio.gather(*(one.run(0.0, 600.0, 0.0) for one in loads))

    asyncio.run(all_of_them())


@contextlib.contextmanager
def _crowd(work: Work, port: int, content: bytes, key: str, sessions: int) -> Iterator[None]:
    """Sessions of another key, in a process of their own, as fast as answers come."""
    spawn = multiprocessing.get_context("spawn")
    arguments = (work, port, content, key, sessions)
    process = spawn.Process(target=_flood, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _answered(port: int, key: str) -> float:
    """The frames that the service has answered."""
    headers = {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as page:
        text = page.read().decode()
    found = re.search(r'frames_total\{outcome="answered"\} (\S+)', text)
    return float(found[1]) if found else 0.0


def tenants(work: Work) -> Iterator[Row]:
    """A victim with one session, alone and beside one other key with 1, 10, 99 sessions."""
    model, content = work.model("192x320"), picture(SIDES)
    keys = {"victim": new_key(), "greedy": new_key()}
    scopes = ("detect", "metrics")
    work.keys.write_text(
        PLAN + "".join(entry(name, key, scopes, plan="p") for name, key in keys.items())
    )
    alone = 0.0
    for sessions in (0, 1, 10, 99):
        port = free_port()
        with work.server(model, port), _crowd(work, port, content, keys["greedy"], sessions):
            time.sleep(2.0)
            victim = Load(work, port, content, SIDES, keys["victim"])
            before = _answered(port, keys["victim"])
            asyncio.run(victim.run(0.0, SECONDS, 0.0))
            everyone = _answered(port, keys["victim"]) - before
        rate = victim.answered / SECONDS
        alone = alone or rate
        yield {
            "other sessions": sessions,
            "victim fps": rate,
            "of alone": rate / alone,
            "of all answers meanwhile": victim.answered / everyone,
        }


def thin(work: Work) -> Iterator[Row]:
    """1,000 batches of four honest frames and one of 1x40000, in the model itself."""
    content = picture(SIDES)
    header = FrameHeader(1, 1, 1, *SIDES)
    thin_image = np.zeros((THIN[1], THIN[0], 3), np.uint8)
    packed = cv2.imencode(".jpg", thin_image)[1].tobytes()
    for options in ((), ("--server",)):
        instances = ModelInstances(work.model("192x320", *options), 1)
        detector, faults = instances.detectors[0], list[str]()
        honest = answered = 0
        for number in range(1000):
            images = [decode_image(header, content, 1 << 23) for _ in range(4)]
            images.insert(number % 5, decode_image(FrameHeader(1, 1, 1, *THIN), packed, 1 << 23))
            outcomes = detect_each(detector, images, faults.append)
            del outcomes[number % 5]
            honest += len(outcomes)
            answered += sum(isinstance(one, Detections) for one in outcomes)
        instances.close()
        yield {
            "model": " ".join(options) or "plain",
            "honest": honest,
            "answered": answered,
            "faults": len(faults),
        }
