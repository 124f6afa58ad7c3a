"""What one service asks of another through Kafka."""

from libs.events.registry import Body, public
from libs.events.topics import Topic


@public("parley.command.route-case.v1", Topic.COMMANDS)
class RouteCase(Body):
    """Routing's decision on a case that waits in routing; ``group_id`` None: no rule applies."""

    cause: str
    conversation_id: str
    case_id: str
    group_id: str | None = None
