"""A network between client and server that can be slow, far, cut or silent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time


class Link:
    """A TCP proxy to `target` on this machine, in a thread of its own; all may change at any time.

    Args:
        target: port.
        bytes_per_s: each way; 0 for no limit.
        rtt_s: half of it each way.
    """

    def __init__(self, target: int, bytes_per_s: float = 0.0, rtt_s: float = 0.0) -> None:
        self.target, self.rate, self.half_s = target, bytes_per_s, rtt_s / 2
        self._refusing = self._silent = self._stalled = self._duplicating = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        ready = threading.Event()

        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await server.serve_forever()

        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        ready.wait()

    def cut(self, *, silent: bool) -> None:
        """Lose the network: connections are reset and refused, or nothing is said at all."""
        if silent:
            self._silent = True
        else:
            self._refusing = True
            self._loop.call_soon_threadsafe(self._reset)

    def heal(self) -> None:
        """The network is back; what was open during a silence is not."""
        self._loop.call_soon_threadsafe(self._reset)
        self._refusing = self._silent = False

    def reset(self) -> None:
        """Break every connection; new ones are taken."""
        self._loop.call_soon_threadsafe(self._reset)

    def stall(self) -> None:
        """Carry nothing and lose nothing, until `resume`."""
        self._stalled = True

    def resume(self) -> None:
        """Carry what waits."""
        self._stalled = False

    def duplicate_next(self) -> None:
        """Deliver the next chunk of the client twice."""
        self._duplicating = True

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # the server is dead
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, back, up=True), self._pump(there, writer))
        self._writers -= {writer, back}
        for one in (writer, back):
            one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool = False
    ) -> None:
        in_flight: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def deliver() -> None:
            while True:
                due, chunk = await in_flight.get()
                while self._stalled:
                    await asyncio.sleep(0.01)
                if up and self._duplicating:
                    self._duplicating, chunk = False, chunk * 2
                if self.half_s:
                    await asyncio.sleep(due - time.monotonic())
                if not self._silent:
                    writer.write(chunk)
                    await writer.drain()

        task = asyncio.create_task(deliver())
        try:
            while chunk := await reader.read(4096 if self.rate else 1 << 16):
                if self.rate:
                    await asyncio.sleep(len(chunk) / self.rate)
                await in_flight.put((time.monotonic() + self.half_s, chunk))
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task
        writer.close()
