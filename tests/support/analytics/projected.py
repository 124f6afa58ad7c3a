"""Stories projected into the warehouse, and what periods show of them."""

import uuid
from datetime import timedelta
from zoneinfo import ZoneInfo

from libs.events.visibility import Sight
from services.analytics.consumers import Projection
from services.analytics.periods import Period
from services.analytics.reports import Reports
from services.analytics.warehouse import Warehouse
from tests.support.analytics.stories import (
    START,
    Story,
    received,
)

DAY = Period(START, START + timedelta(days=1))


ALL, UTC_ZONE = Sight(), ZoneInfo("UTC")


def workspace() -> str:
    return "ws_" + uuid.uuid4().hex[:8]


async def project(warehouse: Warehouse, *stories: Story) -> Reports:
    projection = Projection(warehouse)
    for story in stories:
        assert await projection.apply(received(story.events)) == []
    return Reports(warehouse)
