"""The indexes of the read models that ``rows.py`` writes."""

from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel

# The lists' queries are in inbox/queries.py; the routing index holds only the cases in routing.
INBOX_INDEXES: Final = (
    IndexModel(
        [("workspace", ASCENDING), ("keys", ASCENDING), ("active_at", DESCENDING)], name="lists"
    ),
    IndexModel(
        [("workspace", ASCENDING), ("case_state", ASCENDING), ("waiting_since", ASCENDING)],
        name="waiting",
    ),
    IndexModel([("customer", ASCENDING)], name="customer"),
    # Those who comment under one post; what is asked is in comments.py.
    IndexModel(
        [("workspace", ASCENDING), ("post", ASCENDING), ("active_at", DESCENDING)],
        name="post",
        partialFilterExpression={"post": {"$exists": True}},
    ),
    IndexModel(
        [("due_in", ASCENDING), ("due_at", ASCENDING)],
        name="due_in",
        partialFilterExpression={"due_in": {"$exists": True}},
    ),
    IndexModel(
        [("routing_since", ASCENDING)],
        name="routing",
        partialFilterExpression={"case_state": "routing"},
    ),
)
# A customer quotes a message of the team's by the platform's id; what a watermark asks is in
# deliveries.py.
MESSAGE_INDEXES: Final = (
    IndexModel([("conversation", ASCENDING), ("external", ASCENDING)], name="external"),
    IndexModel(
        [
            ("conversation", ASCENDING),
            ("delivery.reach", ASCENDING),
            ("delivery.sent_at", ASCENDING),
        ],
        name="reach",
    ),
)
