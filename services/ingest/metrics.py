"""The metrics of ingest."""

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED = Counter(
    "parley_ingest_accepted_total",
    "Moves for each message or edit that Kafka acknowledged before the platform was answered.",
    ["channel", "kind"],
)
REFUSED = Counter(
    "parley_ingest_refused_total",
    "Moves for each webhook turned away; forged ones have the reasons unsigned and forged.",
    ["channel", "reason"],
)
IGNORED = Counter(
    "parley_ingest_ignored_total",
    "Moves for each update that was answered 200 and is no message of a conversation.",
    ["channel", "kind"],
)
UNKNOWN_CONTENT = Counter(
    "parley_ingest_unknown_content_total",
    "Moves for each message of a kind that this version does not know: it is shown by that alone.",
    ["channel"],
)
UNREADABLE = Counter(
    "parley_ingest_unreadable_total",
    "Moves for each body of a verified platform that was kept as a dead letter.",
    ["channel"],
)
SENT = Counter(
    "parley_ingest_sent_total",
    "Moves when an attempt to send has ended, by how: sent, failed or uncertain.",
    ["channel", "state"],
)
SEND_SECONDS = Histogram(
    "parley_ingest_send_seconds",
    "From the agent's request to the end of its attempt.",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
SEND_WAITING = Gauge(
    "parley_ingest_send_waiting",
    "Attempts that this replica holds and has not ended yet.",
)
POSTPONED = Counter(
    "parley_ingest_postponed_total",
    "Moves when a send is put off: the platform said later (rate), or was not reached (network).",
    ["channel", "reason"],
)
LEFT = Counter(
    "parley_ingest_webhooks_taken_off_total",
    "Moves with each try to take our webhook off a platform: done, retry or failed.",
    ["outcome"],
)
ATTACHMENTS = Counter(
    "parley_ingest_attachments_total",
    "Moves for each attachment: stored, or why not (too-large, gone, unreachable, refused).",
    ["way", "outcome"],
)
POLLED = Counter(
    "parley_ingest_polls_total",
    "Moves with each look at a source whose platform has to be asked: done or failed.",
    ["channel", "outcome"],
)
