"""The composition root of the gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pymongo import AsyncMongoClient
from starlette.types import ASGIApp

from libs.runtime.attempts import Attempts
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient, service_app
from libs.runtime.mongo import Document, check_mongo, mongo_client
from libs.runtime.process import Runtime, ServiceSpec
from libs.runtime.settings import key_bytes
from libs.runtime.strangers import Strangers
from libs.runtime.trust import guard
from services.gateway.access import Access
from services.gateway.accounts.accounts import Accounts
from services.gateway.accounts.devices import Devices
from services.gateway.accounts.ending import TokensEnding
from services.gateway.accounts.passwords import Passwords
from services.gateway.accounts.sessions import Sessions
from services.gateway.api.accounts import add_account_routes
from services.gateway.api.attachments import add_attachment_routes
from services.gateway.api.conversations import add_conversation_routes
from services.gateway.api.crm_webhook import add_crm_webhook_routes
from services.gateway.api.customers import add_customer_routes
from services.gateway.api.directory import DirectoryApi
from services.gateway.api.permissions import add_role_route
from services.gateway.api.reports import add_metrics_routes, add_notification_routes
from services.gateway.api.routes import Described, Routes, document
from services.gateway.api.workspaces import add_workspace_route
from services.gateway.console import Console
from services.gateway.live.feed import Feed
from services.gateway.live.hub import Hub
from services.gateway.live.positions import Cursors
from services.gateway.live.room import Room
from services.gateway.live.routes import add_live_route
from services.gateway.live.socket import LiveSocket
from services.gateway.live.watch import Watch
from services.gateway.quotas import Quotas
from services.gateway.security import SecurityHeaders
from services.gateway.settings import GatewaySettings
from services.gateway.streams import STREAMS
from services.gateway.upstream import ReusedTokens, Upstream

_TAGS: Final = {
    "accounts": "Signing in and out, one's own account, API tokens.",
    "conversations": "The inbox: cases, their messages and notes.",
    "customers": "Who writes: cards, identities, cases; what they did elsewhere.",
    "attachments": "Files of messages.",
    "directory": "Locations, members, groups, sources and where their cases go.",
    "notifications": "What a member is told, and how.",
    "metrics": "The figures.",
    "live": "What happens, as it happens.",
}
_CORS_MAX_AGE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the API is made of; making it connects nothing."""

    mongo: AsyncMongoClient[Document]
    accounts: Accounts
    devices: Devices
    sessions: Sessions
    directory: Directory
    access: Access
    hub: Hub
    tokens: ReusedTokens
    clients: Mapping[str, ServiceClient]

    def upstream(self, service: str) -> Upstream:
        return Upstream(service, self.clients[service])


def _parts(settings: GatewaySettings) -> _Parts:
    mongo = mongo_client(settings.mongodb_url.get_secret_value(), "parley-gateway")
    database = mongo[settings.mongodb_database]
    key = key_bytes(settings.gateway_signing_key)
    attempts = Attempts(database["gateway_attempts"])
    devices = Devices(key, is_https=_is_https(settings))
    sessions = Sessions(database, timedelta(hours=settings.gateway_session_hours), key)
    directory = Directory(settings)
    quotas = Quotas(
        settings.gateway_requests_per_second_of_token,
        settings.gateway_requests_per_second_of_workspace,
    )
    hub = Hub(directory, Cursors(key))
    sessions.ended = hub.end
    tokens = ReusedTokens("gateway", key, settings.verifying_keys)
    urls = {
        "conversation": settings.gateway_conversation_url,
        "routing": settings.gateway_routing_url,
        "ingest": settings.gateway_ingest_url,
        "notify": settings.gateway_notify_url,
        "analytics": settings.gateway_analytics_url,
    }
    return _Parts(
        mongo=mongo,
        accounts=Accounts(database, Passwords(), attempts, devices),
        devices=devices,
        sessions=sessions,
        directory=directory,
        access=Access(sessions, directory, quotas, Strangers(attempts)),
        hub=hub,
        tokens=tokens,
        clients={service: ServiceClient(service, url, tokens) for service, url in urls.items()},
    )


def _public_api(settings: GatewaySettings, runtime: Runtime, parts: _Parts) -> FastAPI:
    app = service_app(runtime, "Parley", documented=True)
    described = Described()
    by_tag = {tag: Routes(app, described, tag) for tag in _TAGS}
    access, accounts, sessions = parts.access, parts.accounts, parts.sessions
    conversation, ingest = parts.upstream("conversation"), parts.upstream("ingest")
    routing = parts.upstream("routing")
    # The busiest first: a request is compared with the routes in this order.
    add_conversation_routes(by_tag["conversations"], access, conversation, ingest)
    add_customer_routes(by_tag["customers"], access, conversation, ingest)
    add_account_routes(by_tag["accounts"], accounts, sessions, access, parts.devices)
    add_attachment_routes(
        by_tag["attachments"], access, conversation, ingest, settings.gateway_attachment_max_bytes
    )
    directory_api = DirectoryApi(
        directory=parts.directory,
        access=access,
        accounts=accounts,
        sessions=sessions,
        routing=routing,
        ingest=ingest,
        ingest_public_url=settings.gateway_ingest_public_url.rstrip("/"),
        wait_seconds=settings.gateway_directory_wait_seconds,
        password_key=key_bytes(settings.gateway_signing_key),
    )
    directory_api.add_to(by_tag["directory"])
    add_role_route(by_tag["directory"], access)
    add_crm_webhook_routes(by_tag["directory"], directory_api)
    add_notification_routes(by_tag["notifications"], access, parts.upstream("notify"), conversation)
    add_metrics_routes(by_tag["metrics"], access, parts.upstream("analytics"))
    add_workspace_route(
        app, parts.directory, accounts, routing, settings.gateway_directory_wait_seconds
    )
    room = Room(parts.hub, settings.max_sockets_per_address)
    app.add_api_websocket_route("/v1/live", LiveSocket(access, room).serve)
    add_live_route(by_tag["live"], access, room)
    document(app, described, settings.gateway_public_url, _TAGS)
    guard(app, parts.tokens, public=("/v1/", "/openapi.json"))
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key", "last-event-id"],
            # For the device's cookie alone: whatever else is asked for needs the token.
            allow_credentials=True,
            expose_headers=["retry-after", "ratelimit", "ratelimit-policy"],
            max_age=_CORS_MAX_AGE_SECONDS,
        )
    return app


def _is_https(settings: GatewaySettings) -> bool:
    return settings.gateway_public_url.startswith("https:")


def openapi_of(settings: GatewaySettings) -> dict[str, Any]:
    """The public API's OpenAPI document, without any server."""
    return _public_api(settings, Runtime("gateway", public=True), _parts(settings)).openapi()


@asynccontextmanager
async def compose(settings: GatewaySettings, runtime: Runtime) -> AsyncIterator[ASGIApp]:
    parts = _parts(settings)
    runtime.closing(parts.mongo.close)
    await parts.accounts.ensure_indexes()
    await parts.sessions.ensure_indexes()
    for client in parts.clients.values():
        await runtime.enter(client)
    app = _public_api(settings, runtime, parts)
    feed = Feed(parts.hub, bootstrap_servers=settings.kafka, namespace=settings.kafka_namespace)
    runtime.run("directory", parts.directory.table.run)
    runtime.run("live", feed.run)
    runtime.run("watch", Watch(parts.hub, parts.sessions, parts.access).run)
    runtime.run("tokens ending", TokensEnding(parts.sessions).run)
    runtime.ready_when("directory", parts.directory.table.check)
    runtime.ready_when("kafka", feed.check)
    runtime.ready_when("mongodb", lambda: check_mongo(parts.mongo))
    folder = settings.gateway_console_folder
    served = app if folder is None else Console(app, folder)
    yield SecurityHeaders(served, https=_is_https(settings))


SERVICE = ServiceSpec("gateway", GatewaySettings, compose, public=True, streams=STREAMS)
