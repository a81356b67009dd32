"""A TCP proxy between a client and a service, whose faults are switched on and off."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field

PATIENCE_S = 30.0


@dataclass
class FaultyLink:
    """A proxy on a loopback port to the service at port `target`.

    Args:
        target: port of the service.
        port: of the proxy, once started.
        delay_s: delay of every chunk.
        bytes_per_s: bandwidth; 0 for no limit.
        fault: "cut", "half-open", "stall", "duplicate", "reorder", "missing" (plain HTTP requests
            are answered with status 404, as by a proxy whose service is gone) or "".
        connections: number of connections so far.
        refused: how many of the requests were answered with 404.
    """

    target: int
    port: int = 0
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    fault: str = ""
    connections: int = 0
    refused: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> None:
        """Listen, in a thread of its own."""
        ready = threading.Event()

        async def main() -> None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.create_task(main())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE_S)

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `heal`."""
        self.fault = "cut"
        self._loop.call_soon_threadsafe(self._break)

    def missing(self) -> None:
        """Break every connection, and answer new ones with 404 until `heal`."""
        self.fault = "missing"
        self._loop.call_soon_threadsafe(self._break)

    def half_open(self) -> None:
        """Lose everything that is sent, without an error at either end."""
        self.fault = "half-open"

    def stall(self) -> None:
        """Carry nothing until `heal`, and lose nothing, as a process that is stopped (SIGSTOP)."""
        self.fault = "stall"

    def heal(self) -> None:
        """End the fault; connections that were half open break now."""
        if self.fault == "half-open":
            self._loop.call_soon_threadsafe(self._break)
        self.fault = ""

    def once(self, fault: str) -> None:
        """`duplicate` or `reorder` the next chunk of the client."""
        self.fault = fault

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "cut":
            writer.transport.abort()
            return
        if self.fault == "missing":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            self.refused += 1
            writer.close()
            return
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, True), self._pump(there, writer, False))
        except OSError:
            pass
        finally:
            self._writers -= {writer, back}
            for one in (writer, back):
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool
    ) -> None:
        while chunk := await reader.read(1 << 14):
            if self.fault == "half-open":
                continue
            while self.fault == "stall":
                await asyncio.sleep(0.01)
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.bytes_per_s:
                await asyncio.sleep(len(chunk) / self.bytes_per_s)
            if up and self.fault in ("duplicate", "reorder"):
                half = len(chunk) // 2
                swapped = chunk[half:] + chunk[:half]
                chunk = chunk * 2 if self.fault == "duplicate" else swapped
                self.fault = ""
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            with contextlib.suppress(OSError):
                writer.close()

    def stop(self) -> None:
        """Close every connection and end the thread."""

        async def end() -> None:
            self._server.close()
            self._break()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
