"""A WebSocket server that sends back what it gets, in a process of its own: the bare limit.

python -m benchmarks.echo
"""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def _echo(socket: ServerConnection) -> None:
    async for frame in socket:
        await socket.send(frame)


async def main() -> None:
    async with serve(_echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            pass


if __name__ == "__main__":
    uvloop.run(main())
