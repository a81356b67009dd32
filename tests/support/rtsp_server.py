"""An RTSP 1.0 server on loopback: H.264 of a video file as RTP inside the RTSP connection.

RFC 2326 (RTSP), RFC 6184 (H.264 in RTP: single NAL units and FU-A), RFC 4566 (SDP). PyAV takes the
packets out of the file.
"""

from __future__ import annotations

import base64
import socketserver
import struct
import threading
import time
from pathlib import Path
from typing import Any

import av

CLOCK_HZ = 90_000
MAX_PAYLOAD = 1400
START_CODE = b"\x00\x00\x01"


class RtspServer:
    """Serves `video` at `url`, in real time, from its start for each client.

    Args:
        video: an H.264 file without B-frames.
        live: the video repeats without an end and no length is announced; else the connection is
            closed at its end.

    Attributes:
        port: stays the same after `stop` and `start`.
        plays: how many clients have played.
    """

    def __init__(self, video: Path, *, live: bool) -> None:
        self.video, self.live = video, live
        self.port = self.plays = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/camera"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", self.port), _Connection)
        self._server.camera = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and the port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    camera: RtspServer

    def __init__(self, *arguments: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, address: Any) -> None:
        self._open.add(request)
        super().process_request(request, address)

    def close_connections(self) -> None:
        for connection in list(self._open):
            self.shutdown_request(connection)


class _Connection(socketserver.StreamRequestHandler):
    """Answers the requests of one client."""

    server: _Server

    def handle(self) -> None:
        self.stream = H264File(self.server.camera.video)
        try:
            while request := self._request():
                self._answer(*request)
        except (OSError, ValueError):
            return

    def _request(self) -> tuple[str, str, str] | None:
        """(method, CSeq, Transport) of the next request; None at the end.

        Interleaved RTCP is passed over.
        """
        first = self.rfile.read(1)
        while first == b"$":
            _, size = struct.unpack(">BH", self.rfile.read(3))
            self.rfile.read(size)
            first = self.rfile.read(1)
        if not first:
            return None
        method = (first + self.rfile.readline()).decode().split()[0]
        sequence, transport = "0", ""
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            if name.lower() == "cseq":
                sequence = value.strip()
            elif name.lower() == "transport":
                transport = value.strip()
        return method, sequence, transport

    def _answer(self, method: str, sequence: str, transport: str) -> None:
        headers, body = [f"CSeq: {sequence}"], ""
        if method == "SETUP" and "RTP/AVP/TCP" not in transport.upper():
            # Clients of older FFmpeg ask for UDP first, and for TCP once that is refused.
            status = f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {sequence}\r\n\r\n"
            self.wfile.write(status.encode())
            return
        if method == "OPTIONS":
            headers.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        elif method == "DESCRIBE":
            body = self._description()
            headers += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            headers += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        else:
            headers.append("Session: 1")
        self.wfile.write("\r\n".join(["RTSP/1.0 200 OK", *headers, "", body]).encode())
        if method == "PLAY":
            self._play()
        if method in ("PLAY", "TEARDOWN"):
            raise ValueError("the session has ended")

    def _description(self) -> str:
        sets = ",".join(base64.b64encode(one).decode() for one in self.stream.parameter_sets)
        length = "" if self.server.camera.live else f"a=range:npt=0-{self.stream.seconds:.3f}\r\n"
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"{length}a=control:*\r\nm=video 0 RTP/AVP 96\r\n"
            f"a=rtpmap:96 H264/{CLOCK_HZ}\r\na=framerate:{self.stream.fps}\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track1\r\n"
        )

    def _play(self) -> None:
        camera = self.server.camera
        camera.plays += 1
        start, sequence, offset_s = time.monotonic(), 0, 0.0
        while True:
            for shown_s, units in self.stream.frames:
                ahead_s = start + offset_s + shown_s - time.monotonic()
                if camera.stopping.wait(max(ahead_s, 0)):
                    return
                stamp = round((offset_s + shown_s) * CLOCK_HZ)
                for payload, last in payloads(units):
                    head = struct.pack(">BBHII", 0x80, 96 | last << 7, sequence, stamp, 1)
                    frame = b"$\0" + struct.pack(">H", len(head) + len(payload)) + head + payload
                    self.connection.sendall(frame)
                    sequence = (sequence + 1) % 65536
            if not camera.live:
                return
            offset_s += self.stream.seconds


class H264File:
    """The packets of a video file.

    Attributes:
        frames: (seconds since the first, NAL units) of each frame.
        parameter_sets: NAL units that a decoder needs first.
    """

    def __init__(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream: Any = container.streams.video[0]
            self.fps = float(stream.average_rate)
            to_units = av.BitStreamFilterContext("h264_mp4toannexb", stream)
            packets: list[Any] = [
                one
                for packet in container.demux(stream)
                for one in to_units.filter(packet)
                if one.size
            ]
            first, base = packets[0].pts, packets[0].time_base
            self.frames = [
                (float((packet.pts - first) * base), nal_units(bytes(packet))) for packet in packets
            ]
        self.seconds = len(self.frames) / self.fps
        self.parameter_sets = [unit for unit in self.frames[0][1] if unit[0] & 31 in (7, 8)]


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units between the start codes of a byte stream (H.264, annex B)."""
    return [unit.rstrip(b"\0") for unit in annex_b.split(START_CODE) if unit.rstrip(b"\0")]


def payloads(units: list[bytes]) -> list[tuple[bytes, bool]]:
    """(RTP payload, whether it is the last of the frame) of a frame's NAL units."""
    parts: list[bytes] = []
    for unit in units:
        if len(unit) <= MAX_PAYLOAD:
            parts.append(unit)
            continue
        indicator, kind = unit[0] & 0xE0 | 28, unit[0] & 31
        pieces = [unit[at : at + MAX_PAYLOAD] for at in range(1, len(unit), MAX_PAYLOAD)]
        for number, piece in enumerate(pieces):
            marks = (number == 0) << 7 | (number == len(pieces) - 1) << 6
            parts.append(bytes([indicator, marks | kind]) + piece)
    return [(part, number == len(parts) - 1) for number, part in enumerate(parts)]
