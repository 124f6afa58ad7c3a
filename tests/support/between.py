"""A server that falls silent, or is gone for a while, without touching the one that all share."""

import asyncio
import contextlib


class Between:
    """Stands between a client and its server (``host:port``): passes on, falls silent, is gone."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._broker = (host, int(port))
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.silent = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._broker)
        self._writers += [writer, back]
        # The broker tells its clients its own address; here it has to be this one.
        own = self._broker[0].encode() + self._broker[1].to_bytes(4, "big")
        mine = b"127.0.0.1" + self.port.to_bytes(4, "big")
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer, own, mine))

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        own: bytes = b"",
        mine: bytes = b"",
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if not self.silent:
                    writer.write(chunk.replace(own, mine) if own else chunk)
        writer.close()
