"""Routing's own metrics; those that every process has are in ``libs.runtime.metrics``."""

from prometheus_client import Counter, Gauge

CHANGES = Counter(
    "parley_routing_directory_changes_total",
    "Moves for each change of a directory that was stored and acknowledged by Kafka.",
    ["operation"],
)
PENDING = Gauge(
    "parley_routing_unpublished_commits",
    "Stored changes that Kafka has not acknowledged; above 0 for long wants a person's look.",
)
REPAIRED = Counter(
    "parley_routing_states_published_again_total",
    "Moves when the topic's last state of a directory entry was missing or an old one.",
)
DECISIONS = Counter(
    "parley_routing_autoforward_decisions_total",
    "Moves for each case that was routed: to a group, or because no rule applies.",
    ["outcome"],
)
