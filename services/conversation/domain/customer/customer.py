"""The aggregate: what the team knows of a person, beside what the conversations tell."""

from services.conversation.domain.customer.erasure import Forgetting


class Customer(Forgetting):
    """Its rules are in ``card.py``, ``standing.py``, ``identities.py`` and ``erasure.py``;
    here they come together. Its stream is named by the customer's id.
    """
