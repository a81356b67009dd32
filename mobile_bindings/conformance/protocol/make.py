"""Write the vectors beside this file: python mobile_bindings/conformance/protocol/make.py

frames.json and messages.json pin the codec, session.json a conversation of a client with its
client: what it is given and what it must send. Every binding reproduces them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tallylens.cloud_fallback.wire.client_session import ClientSession, EncodedImage
from tallylens.cloud_fallback.wire.frames import (
    Codec,
    Flag,
    FrameHeader,
    decode_frame,
    encode_frame,
)
from tallylens.cloud_fallback.wire.messages import (
    Bye,
    Drain,
    Hello,
    Limits,
    Reject,
    Result,
    Summary,
    Welcome,
    encode,
)
from tallylens.edge_runtime.counting.regions import Line, Zone
from tallylens.edge_runtime.errors import ProtocolError

HERE = Path(__file__).parent
WELCOME = Welcome(
    session="a1b2",
    resume="c3d4",
    resumed=False,
    ack=0,
    credits=2,
    limits=Limits(1 << 20, 1 << 23, 100, 1000),
    model="yolov5m.onnx",
    input_size=(640, 640),
    classes=("person", "car"),
    strides=(8, 16, 32),
)
MESSAGES: tuple[tuple[str, Any], ...] = (
    ("client", Hello()),
    ("client", Hello("detect", "a1b2", "c3d4")),
    (
        "client",
        Hello("count", regions=(Line(0.0, 0.6, 1.0, 0.6, "road"),), any_class=True),
    ),
    (
        "client",
        Hello(
            "count",
            regions=(
                Line(0.0, 0.6, 1.0, 0.6, "road", "east", "west", extend=True),
                Zone(((0.0, 0.0), (1.0, 0.0), (1.0, 0.5)), "queue", 2.5),
            ),
        ),
    ),
    ("client", Bye()),
    ("server", WELCOME),
    ("server", Result(3, 2, 4, ((1.5, 2.0, 30.25, 40.0, 0.875, 1),), 4.5, 12.0)),
    ("server", Result(3, 3, 4)),
    ("server", Reject(4, 4, 4, "over_quota", 120)),
    ("server", Drain(10.0)),
    ("server", Summary(5, 4, {"late": 1}, {"unique": {"car": 2}})),
)
INVALID = (
    ("client", "hello"),
    ("client", '{"type":"hello","mode":"watch"}'),
    ("client", '{"type":"hello","places":[{"kind":"line","points":[[0,0]]}]}'),
    ("client", '{"type":"hello","places":[{"kind":"line","points":[[0,0],[0,0]]}]}'),
    ("client", '{"type":"welcome"}'),
    ("server", '{"type":"result","sequence":-1,"ack":0,"credits":1}'),
    ("server", '{"type":"reject","sequence":1,"ack":1,"credits":1,"reason":"tired"}'),
    ("server", '{"type":"drain","seconds":NaN}'),
)


def frames() -> list[dict[str, Any]]:
    """Headers to bytes, and bytes that are not a frame."""
    headers = (
        (FrameHeader(1, 0, 500, 640, 352), b"\xff\xd8\xff"),
        (FrameHeader(0xFFFFFFFF, -5, 0, 1, 65535, Codec.WEBP, Flag.REPEATED), b""),
        (FrameHeader(2, 1_700_000_000_000_000, 33, 2, 1, Codec.RAW), bytes(range(6))),
    )
    vectors: list[dict[str, Any]] = [
        {
            "header": vars(header),
            "picture": picture.hex(),
            "message": encode_frame(header, picture).hex(),
        }
        for header, picture in headers
    ]
    whole = encode_frame(*headers[0])
    broken = [whole[:23], b"\x02" + whole[1:], whole[:2] + b"\x00" + whole[3:]]
    broken += [whole[:3] + b"\x02" + whole[4:], whole[:4] + bytes(4) + whole[8:]]
    for message in broken:
        try:
            decode_frame(message)
        except ProtocolError as error:
            problem = error.problem.removeprefix("message: ")
            vectors.append({"message": message.hex(), "error": problem})
    return vectors


def session() -> list[dict[str, Any]]:
    """Two credits, a lost connection, a resumed and then a new session."""
    client, steps = ClientSession(), []

    def send(now: float) -> None:
        while (following := client.frame_to_send(now)) is not None:
            steps.append({"at": now, "sends": following[1].hex()})

    def receive(now: float, message: Any) -> None:
        client.message_received(encode(message))
        steps.append({"at": now, "receives": json.loads(encode(message))})
        send(now)

    def offer(now: float, seconds: float, picture: bytes) -> None:
        taken = client.submit(EncodedImage(picture, 4, 2), int(now * 1e6), now + seconds)
        step = {"at": now, "offers": picture.hex(), "width": 4, "height": 2, "seconds": seconds}
        steps.append(step | {"sequence": taken.sequence if taken else None})
        send(now)

    def lose(now: float) -> None:
        client.connection_lost()
        steps.append({"at": now, "connection": "lost"})

    def hello(now: float) -> None:
        steps.append({"at": now, "connection": "open", "says": json.loads(encode(client.hello()))})

    hello(0.0)
    receive(0.0, WELCOME)
    for second, content in enumerate((b"one", b"two", b"three")):
        offer(float(second), 10.0, content)
    receive(3.0, Result(1, 1, 2))
    offer(3.5, 1.0, b"four")
    lose(4.0)
    offer(4.0, 10.0, b"five")
    hello(4.25)
    resumed = {**vars(WELCOME), "resumed": True, "ack": 2}
    receive(4.25, Welcome(**resumed))
    receive(4.25, Result(2, 2, 2))
    lose(4.3)
    offer(4.3, 1.0, b"six")
    hello(4.375)
    receive(4.375, WELCOME)
    return steps


def write(name: str, what: str, vectors: list[dict[str, Any]]) -> None:
    """One file."""
    document = {"what": what, "vectors": vectors}
    (HERE / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    """Write all of them."""
    messages = [
        {"from": who, "valid": True, "text": encode(one), "canonical": json.loads(encode(one))}
        for who, one in MESSAGES
    ]
    messages += [{"from": who, "valid": False, "text": text} for who, text in INVALID]
    write("frames", "binary messages", frames())
    write("messages", "control messages", messages)
    write("session", "a client: times in seconds, bytes in hexadecimal", session())


if __name__ == "__main__":
    main()
