"""A channel as ingest sees it: one folder here, made by its factory in the registry.

Each folder has the same few files where its platform has what they are about: ``adapter`` (the
factory), ``hook``, ``registration``, ``normalise``, ``sender``, ``fetch``, ``photo``. What the
channel can do is no part of it: that is data, in ``libs.events.channels``.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from starlette.routing import BaseRoute

from libs.events.ids import IdKey
from libs.runtime.directory import Directory
from libs.runtime.mongo import Document
from libs.runtime.process import Check, Task
from libs.runtime.tokens import ServiceTokens
from services.ingest.accept import Acceptor
from services.ingest.attachments.store import AttachmentStore
from services.ingest.ports.files import FileSource, PhotoSource
from services.ingest.ports.polling import Poll
from services.ingest.ports.registration import Registration
from services.ingest.ports.sending import ChannelSender
from services.ingest.ports.webhooks import Handshake, Webhook
from services.ingest.settings import IngestSettings
from services.ingest.sources import SourceBook


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a channel may be made of. ``tokens`` are for calls of other services."""

    settings: IngestSettings
    deployment_key: bytes
    ids: IdKey
    directory: Directory
    sources: SourceBook
    acceptor: Acceptor
    store: AttachmentStore
    tokens: ServiceTokens
    database: AsyncDatabase[Document]


@dataclass(frozen=True, slots=True)
class ChannelAdapter:
    """One channel's ways in and out; None where its platform has no such thing.

    ``webhook`` answers ``POST /hooks/<channel>/<source>``, and ``handshake`` its GET; a platform
    that calls nobody is asked by ``poll``. ``tasks`` run as long as the process, and ``checks`` are
    for readiness. ``routes`` are pages of the channel's own, whose paths begin with one of
    ``public``: they know by themselves whom they speak to.
    """

    sender: ChannelSender[Any]
    webhook: Webhook[Any] | None = None
    handshake: Handshake[Any] | None = None
    registration: Registration[Any] | None = None
    files: FileSource[Any] | None = None
    photos: PhotoSource[Any] | None = None
    poll: Poll[Any] | None = None
    routes: Sequence[BaseRoute] = ()
    public: tuple[str, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)


# Opened when the service starts, and closed when it has stopped.
ChannelFactory = Callable[[ChannelContext], AbstractAsyncContextManager[ChannelAdapter]]
