"""The aggregate: one thread between a customer and a source, and its cases one after another."""

from services.conversation.domain.messages import Messages


class Conversation(Messages):
    """Its rules are in ``life.py`` and ``messages.py``; here they come together."""
