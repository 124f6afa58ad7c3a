"""The widget: Parley's own channel, on the pages of a workspace's sites."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.runtime.http import ServiceClient
from services.ingest.channels.protocol import ChannelAdapter, ChannelContext
from services.ingest.channels.widget.dependencies import WidgetDependencies, WidgetLimits
from services.ingest.channels.widget.files import FileHandles
from services.ingest.channels.widget.hub import WidgetHub
from services.ingest.channels.widget.routes import widget_routes
from services.ingest.channels.widget.sender import KeptSender
from services.ingest.channels.widget.visitors import VisitorTokens


@asynccontextmanager
async def widget(context: ChannelContext) -> AsyncIterator[ChannelAdapter]:
    settings = context.settings
    files = FileHandles(context.deployment_key)
    hub = WidgetHub(
        files,
        bootstrap_servers=settings.kafka,
        namespace=settings.kafka_namespace,
    )
    async with ServiceClient(
        "conversation", settings.ingest_conversation_url, context.tokens
    ) as conversation:
        dependencies = WidgetDependencies(
            directory=context.directory,
            sources=context.sources,
            acceptor=context.acceptor,
            id_key=context.ids,
            tokens=VisitorTokens(context.deployment_key),
            conversation=conversation,
            hub=hub,
            files=files,
            store=context.store,
            limits=WidgetLimits(sockets_of_an_address=settings.max_sockets_per_address),
        )
        yield ChannelAdapter(
            sender=KeptSender(),
            routes=widget_routes(dependencies),
            public=("/widget", "/hooks/widget/"),
            tasks={"widget-hub": hub.run},
            checks={"widget-hub": hub.check},
        )
