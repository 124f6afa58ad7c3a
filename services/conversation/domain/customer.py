"""The aggregate: what the team knows of a person, beside what the conversations tell."""

from services.conversation.domain.customer_erasure import Forgetting


class Customer(Forgetting):
    """Its rules are in ``customer_card.py``, ``customer_standing.py``, ``customer_identities.py``
    and ``customer_erasure.py``; here they come together. Its stream is named by the customer's id.
    """
