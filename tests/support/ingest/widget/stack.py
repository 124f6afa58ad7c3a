"""The servers that the widget's tests share, and sites on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from obstore.store import ObjectStore

from libs.runtime.kafka import Publisher
from libs.runtime.limiter import Rate
from libs.runtime.process import running
from libs.runtime.settings import DeploymentSettings, load
from services.ingest.channels.widget.routes import WidgetLimits
from tests.support.eventually import eventually
from tests.support.http import ready
from tests.support.ingest.widget.site import (
    ORIGIN,
    Site,
    connect_source,
    environment_for,
    widget_service,
)
from tests.support.ingest.widget.team import Team

# All tests come from one address; the limits have tests of their own.
GENEROUS = WidgetLimits(
    sessions=Rate(100_000, 1),
    messages_of_an_address=Rate(100_000, 1),
    messages_of_a_source=Rate(100_000, 1),
    of_an_address=Rate(100_000, 1),
    of_a_source=Rate(100_000, 1),
)


@dataclass(frozen=True)
class Stack:
    """The servers and clients that all tests of the widget share."""

    bootstrap: str
    namespace: str
    publisher: Publisher
    http: aiohttp.ClientSession
    mongo: dict[str, str]
    conversation_url: str
    url: str

    @asynccontextmanager
    async def another(
        self,
        *,
        limits: WidgetLimits | None = None,
        follows_directory: bool = True,
        publishes_to: str | None = None,
        storage: ObjectStore | None = None,
    ) -> AsyncIterator[str]:
        """A second process of the service with something different about it: its URL."""
        spec = widget_service(
            self.conversation_url,
            limits=limits,
            follows_directory=follows_directory,
            publishes_to=publishes_to,
            storage=storage,
        )
        settings = load(DeploymentSettings, environment_for(self.bootstrap, self.namespace))
        async with running(spec, settings) as (url, _):
            if follows_directory:
                await ready(self.http, url)
            yield url

    async def site(
        self,
        *,
        url: str | None = None,
        origins: tuple[str, ...] = (ORIGIN,),
        identity_secret: str | None = None,
        connected: bool = True,
    ) -> Site:
        source_id, workspace_id, member_id = await connect_source(
            self.publisher, origins=origins, identity_secret=identity_secret, connected=connected
        )
        team = Team(self.http, self.conversation_url, workspace_id, member_id)
        site = Site(url or self.url, self.http, self.publisher, source_id, workspace_id, team)

        async def known() -> bool:
            status, _ = await site.messages("none", origin=origins[0])
            return status != 404 or not connected

        await eventually(known)
        return site
