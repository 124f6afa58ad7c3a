"""The widget's public face: its script, a visitor's session, messages in, history, live answers."""

from dataclasses import dataclass, field

from starlette.routing import BaseRoute

from libs.events.ids import IdKey
from libs.runtime.directory import Directory
from libs.runtime.http import ServiceClient
from libs.runtime.kafka import Publisher
from libs.runtime.sealing import Sealer
from services.ingest.widget.hub import WidgetHub
from services.ingest.widget.limiter import Rate
from services.ingest.widget.visitors import VisitorTokens


@dataclass(frozen=True, slots=True)
class WidgetLimits:
    """``sessions`` are counted by address, ``messages`` by visitor, sockets by conversation."""

    sessions: Rate = Rate(burst=30, per_second=0.5)
    messages: Rate = Rate(burst=30, per_second=1)
    sockets: int = 10


@dataclass(frozen=True, slots=True)
class WidgetDependencies:
    """What the routes need; all of it is made in the composition root.

    ``sealer`` opens the sources' credentials. The wait for Kafka is the ``publisher``'s timeout.
    ``hub.run`` goes to the runtime's tasks, ``hub.check`` to its readiness.
    """

    directory: Directory
    publisher: Publisher
    id_key: IdKey
    sealer: Sealer
    tokens: VisitorTokens
    conversation: ServiceClient
    hub: WidgetHub
    limits: WidgetLimits = field(default_factory=WidgetLimits)


def widget_routes(deps: WidgetDependencies) -> list[BaseRoute]:
    """Plain Starlette routes for ``app.router.routes``.

    Put them before any ``/hooks/{channel}/{source_id}``: one of them is ``/hooks/widget/…``.
    """
    return []
