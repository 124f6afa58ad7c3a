"""The conversation service's own metrics."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

UNPUBLISHED: Final = Gauge(
    "parley_conversation_unpublished_commits",
    "Commits that are stored and not yet known to be on Kafka; growing means Kafka refuses them.",
)
COMMANDS: Final = Counter(
    "parley_conversation_commands_total",
    "Moves for each command of a member that was decided; outcome is done, repeated or refused.",
    ["command", "outcome"],
)
CONFLICTS: Final = Counter(
    "parley_conversation_conflicts_total",
    "Moves when a stream had moved on, or had the cause already, and its decision was repeated.",
)
COMMITS: Final = Counter(
    "parley_conversation_commits_total",
    "Moves for each commit appended.",
)
ROUTING_TIMEOUTS: Final = Counter(
    "parley_conversation_routing_timeouts_total",
    "Moves when a case waited too long for routing and was put into New undecided.",
)
ANCHORS: Final = Counter(
    "parley_conversation_anchors_total",
    "Moves for each anchor written; standing still beside commits that grow means no storage.",
)
RECEIVED_TO_PUBLISHED: Final = Histogram(
    "parley_conversation_received_to_published_seconds",
    "From a webhook's receipt at ingest until its message was acknowledged on parley.conversation.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 15, 60),
)
REVERIFIED: Final = Counter(
    "parley_conversation_reverified_commits_total",
    "Moves for each commit of an audited conversation that was read and verified once more.",
)
FOUND_ALTERED: Final = Counter(
    "parley_conversation_found_altered_total",
    "Moves when a conversation that had verified is not as it was written any more: look at once.",
)
ERASURES_REACHED: Final = Counter(
    "parley_conversation_erasures_total",
    "Moves when a person's erasure got somewhere: erased, or done (looked at once more).",
    ["stage"],
)
