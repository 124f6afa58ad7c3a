"""What happened in a conversation, as all services are told of it.

Whoever knows one of the events knows all of them: a type that is not declared is taken for one of a
newer version.
"""

from libs.events.conversation import case, customer, marks, message

__all__ = ["case", "customer", "marks", "message"]
