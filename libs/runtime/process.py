"""How a service lives: composed, made ready, served, watched, stopped.

A service is a ``ServiceSpec``. Its ``compose`` is the composition root: it makes the clients, says
what is to run beside the HTTP server and what readiness means, and yields the ASGI application.
"""

import asyncio
import contextlib
import gc
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
import uvicorn
from starlette.types import ASGIApp, Scope

from libs.runtime.broken_connections import understand_uvloop
from libs.runtime.header_names import understand_header_names
from libs.runtime.kafka_access import ca_ends_at, check_access
from libs.runtime.metrics import CERTIFICATE_ENDS
from libs.runtime.proxies import as_written, is_in
from libs.runtime.server import Guard, Limits
from libs.runtime.settings import Settings
from libs.runtime.streams import Streams
from libs.runtime.subscriber import Subscriber
from libs.runtime.tracing import configure_tracing

log = structlog.get_logger()

# How much is made between two collections. A batch of messages makes tens of thousands of objects,
# of which hardly one is in a circle: with Python's 700 the collector took 12 % of conversation's
# CPU under load, so it takes 4.
_COLLECTIONS: Final = (20_000, 20, 50)
# Threads look words up beside the loop, and each time it has waited for the network it waits for
# them as long: with Python's 5 ms the slowest of a hundred commands took 72 to 95 ms, so 64 to 81.
_SWITCH_S: Final = 0.0005

Check = Callable[[], Awaitable[object]]
Task = Callable[[asyncio.Event], Awaitable[None]]
# Each stream of which something is set aside, and why.
Told = Callable[[], Mapping[str, str]]


class Runtime:
    """What a composition root is handed: an exit stack, background tasks, readiness checks."""

    def __init__(
        self, service: str, *, public: bool = False, streams: Streams | None = None
    ) -> None:
        self.service = service
        self.streams = streams or Streams()
        self._public = public
        # Where a public service answers its operator; all others do so on their only port.
        self.operations_port: int | None = None
        self.stop = asyncio.Event()
        self.checks: dict[str, Check] = {}
        self.set_aside: dict[str, Told] = {}
        self._stack = AsyncExitStack()
        self._tasks: dict[str, Task] = {}

    async def enter[T](self, manager: AbstractAsyncContextManager[T]) -> T:
        """Open it now, close it when the service has stopped (in reverse order)."""
        return await self._stack.enter_async_context(manager)

    def closing(self, close: Callable[[], Awaitable[object]]) -> None:
        """Await ``close`` when the service has stopped."""
        self._stack.push_async_callback(close)

    def run(self, name: str, task: Task) -> None:
        """Run ``task`` beside the HTTP server; it ends soon after the event it is given is set.

        A task that ends before, or fails, ends the process: better restarted than half alive.
        """
        self._tasks[name] = task

    def consume(
        self,
        name: str,
        consumer: Subscriber,
        *,
        task: Task | None = None,
        is_needed: bool = True,
    ) -> None:
        """Run the consumer (or ``task``, which runs it), and tell what it has set aside.

        ``is_needed``: without it the process is not ready."""
        self.run(name, task or consumer.run)
        self.tells(name, consumer.set_aside)
        if is_needed:
            self.ready_when(name, consumer.check)

    def tells(self, name: str, told: Told) -> None:
        """``/readyz`` names what ``told`` answers; one stream's trouble makes nobody unready."""
        self.set_aside[name] = told

    def ready_when(self, name: str, check: Check) -> None:
        """``/readyz`` answers 200 only when ``check`` raises nothing."""
        self.checks[name] = check

    def is_operators(self, scope: Scope) -> bool:
        """Whether a request came in where only operators and other services reach."""
        server: tuple[str, int] | None = scope.get("server")
        return not self._public or (server is not None and server[1] == self.operations_port)

    async def __aenter__(self) -> "Runtime":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def running_tasks(self) -> AsyncIterator["asyncio.Future[None]"]:
        """Yields a future that fails with the first task that failed or ended by itself."""
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def watch(name: str, task: Task) -> None:
            try:
                await task(self.stop)
                if not self.stop.is_set():
                    raise RuntimeError(f"{name} ended by itself")
            except (Exception, asyncio.CancelledError) as error:
                # Nobody cancels a task here: a cancellation is one that a driver let out of its own
                # (aiokafka's consumer does on stopping), and must not end the task unnoticed.
                log.error("task failed", task=name, exc_info=error)
                if not failure.done():
                    failure.set_exception(_as_exception(name, error))

        tasks = [asyncio.create_task(watch(n, t), name=n) for n, t in self._tasks.items()]
        try:
            yield failure
        finally:
            self.stop.set()
            await asyncio.gather(*tasks)
            # Nobody may be waiting for it any more; what it holds was logged.
            failure.cancel() if not failure.done() else failure.exception()


@dataclass(frozen=True)
class Migration[S: Settings]:
    """Makes what a service needs on its servers and says what it did; safe to repeat. ``settings``
    are what it needs for that: no key that only the service is to have."""

    settings: type[S]
    run: Callable[[S], Awaitable[str]]


@dataclass(frozen=True)
class ServiceSpec[S: Settings]:
    """A service by its name, its settings, what it reads from Kafka and writes to it, and its
    composition root. ``public``: anybody may reach its port, so that limits hold there and it tells
    nothing of itself."""

    name: str
    settings: type[S]
    compose: Callable[[S, Runtime], AbstractAsyncContextManager[ASGIApp]]
    migration: Migration[Any] | None = None
    public: bool = False
    streams: Streams = field(default_factory=Streams)


def _as_exception(name: str, error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(f"{name} was cancelled")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: ``serve`` has them, for the tasks' sake too."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@asynccontextmanager
async def running[S: Settings](
    spec: ServiceSpec[S], settings: S, port: int = 0, operations_port: int = 0
) -> AsyncIterator[tuple[str, "asyncio.Future[None]"]]:
    """The service, serving: its base URL, and a future that fails when a part of it fails.

    ``operations_port`` is where a public service has ``/metrics`` and what ``/readyz`` tells.
    Errors: KafkaRefused.
    """
    understand_uvloop()
    understand_header_names()
    if (ends := ca_ends_at(settings.kafka)) is not None:
        CERTIFICATE_ENDS.labels("kafka-ca").set(ends)
    await check_access(settings.kafka)
    async with Runtime(spec.name, public=spec.public, streams=spec.streams) as runtime:
        if settings.otlp_endpoint:
            provider = configure_tracing(spec.name, settings.otlp_endpoint)
            runtime.closing(lambda: asyncio.to_thread(provider.shutdown))
        async with spec.compose(settings, runtime) as app, runtime.running_tasks() as failure:
            listeners = [_listen(settings.host, port)]
            if spec.public:
                listeners.append(_listen(settings.host, operations_port))
                runtime.operations_port = listeners[1].getsockname()[1]
            guard = _guard(settings, public=spec.public)
            server = _Server(
                uvicorn.Config(
                    app,
                    http=guard.http,  # type: ignore[arg-type]  # called like the class it makes
                    ws=guard.websocket,  # type: ignore[arg-type]
                    lifespan="off",
                    access_log=False,
                    log_config=None,
                    # A live socket takes small frames only, also before it has said who it is.
                    ws_max_size=64 * 1024,
                    # Compressing each small frame once a socket costs more than it saves.
                    ws_per_message_deflate=False,
                    server_header=False,
                    date_header=False,
                    proxy_headers=spec.public and bool(settings.proxies),
                    forwarded_allow_ips=as_written(settings.proxies),
                    timeout_keep_alive=75,
                    timeout_graceful_shutdown=max(1, int(settings.shutdown_timeout_seconds)),
                )
            )
            watching = asyncio.create_task(guard.watch(), name="connections")
            serving = asyncio.create_task(server.serve(sockets=listeners), name="http")
            try:
                host, bound = listeners[0].getsockname()[:2]
                yield f"http://{host}:{bound}", failure
            finally:
                runtime.stop.set()
                server.should_exit = True
                await serving
                watching.cancel()


async def serve[S: Settings](
    spec: ServiceSpec[S], settings: S, port: int, stop: asyncio.Event, operations_port: int = 0
) -> None:
    """Serve until ``stop`` is set. Errors: whatever a part of the service failed with."""
    started, before, switched = time.monotonic(), gc.get_threshold(), sys.getswitchinterval()
    async with running(spec, settings, port, operations_port) as (url, failure):
        # What was made so far lives as long as the process: no collection has to look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        sys.setswitchinterval(_SWITCH_S)
        try:
            log.info("serving", url=url, seconds=round(time.monotonic() - started, 3))
            stopping = asyncio.create_task(stop.wait())
            ends: list[asyncio.Future[Any]] = [stopping, failure]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        finally:
            sys.setswitchinterval(switched)
            gc.set_threshold(*before)
            gc.unfreeze()
        if failure.done():
            failure.result()
    log.info("stopped")


def _guard(settings: Settings, *, public: bool) -> Guard:
    networks = settings.proxies
    most = settings.max_connections_per_address if public else None
    return Guard(Limits(connections=most), lambda address: is_in(address, networks))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    listener.setblocking(False)
    return listener
