"""Erasures that were stopped half-way are looked for often."""

import pytest

from services.conversation.settings import ConversationSettings
from tests.support.conversation.world import settings_of


@pytest.fixture
def settings(
    kafka_bootstrap: str, own_namespace: str, mongodb_url: str, mongodb_name: str
) -> ConversationSettings:
    return settings_of(
        kafka_bootstrap,
        own_namespace,
        mongodb_url,
        mongodb_name,
        PARLEY_CONVERSATION_ERASURE_CHECK_SECONDS="0.2",
    )
