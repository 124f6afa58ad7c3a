"""The aggregate: what the team knows of a person, beside what the conversations tell."""

from services.conversation.domain.customer_identities import Identities


class Customer(Identities):
    """Its rules are in ``customer_card.py``, ``customer_standing.py`` and
    ``customer_identities.py``; here they come together. Its stream is named by the customer's id.
    """
