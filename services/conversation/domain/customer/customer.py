"""The aggregate: what the team knows of a person, beside what the conversations tell."""

from typing import Final

from services.conversation.domain.customer.erasure import Forgetting

_NAMES: Final = "customer."


class Customer(Forgetting):
    """Its rules are in ``card.py``, ``blocks.py``, ``subscriptions.py``, ``identities.py`` and
    ``erasure.py``; here they come together. Its stream is named by the customer's id.
    """


def is_customers(event: str) -> bool:
    """Whether an event of this name is stored in customers' streams."""
    return event.startswith(_NAMES)
