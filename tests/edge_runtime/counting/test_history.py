"""The size of what a history saves; its content is tested with the count page."""

from __future__ import annotations

import base64
import json

import cv2
import numpy as np

from tallylens.edge_runtime.counting.history import MAX_SAVED_IMAGE_BYTES, History
from tallylens.edge_runtime.counting.packing import pack
from tallylens.edge_runtime.counting.sinks import FrameResult
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.types import Detections, Frame, Tracks


def noisy_history() -> History:
    image = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
    history = History((1280, 720))
    totals = Totals(["car"], (1280, 720))
    frame = Frame(image, 0, 0)
    history.frame(FrameResult(frame, Detections.empty(), Tracks.empty(), [], totals))
    return history


def test_a_saved_image_is_small_and_the_report_s_is_not() -> None:
    history = noisy_history()
    picture = history.picture()
    saved = base64.b64decode(history.save()["history"]["picture"])
    assert picture is not None
    assert len(saved) <= MAX_SAVED_IMAGE_BYTES < len(picture)
    image = cv2.imdecode(np.frombuffer(saved, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[1] * 9 == image.shape[0] * 16


def test_what_an_earlier_version_saved_is_read() -> None:
    saved = noisy_history().save()["history"]
    events = [{"event": "confirmed", "track": 1}]
    saved["events"] = events
    saved["crossings"] = {"seconds": 1, "bins": [[7, {"0:in": 2}]]}
    history = History((1280, 720))
    history.restore({"history": json.loads(json.dumps(saved))})
    assert list(history.events) == events
    assert list(history.crossings) == [(7.0, {"0:in": 2})]
    assert history.save()["history"]["events"] == pack(events)
