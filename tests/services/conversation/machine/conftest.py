"""Where the machine's replicas keep what they write."""

import pytest

from services.conversation.settings import ConversationSettings
from tests.support.conversation.world import settings_of


@pytest.fixture
def machine_settings(
    kafka_bootstrap: str, own_namespace: str, mongodb_url: str, mongodb_name: str
) -> ConversationSettings:
    return settings_of(
        kafka_bootstrap,
        f"{own_namespace}machine.",
        mongodb_url,
        mongodb_name,
        PARLEY_CONVERSATION_SETTLE_SECONDS="0",
    )
