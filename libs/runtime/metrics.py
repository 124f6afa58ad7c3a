"""The metrics that every process has. A service's own are in its ``metrics.py``."""

from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter(
    "parley_consumed_messages_total",
    "Moves for each Kafka message whose effects are durable.",
    ["topic", "group"],
)
DEAD_LETTERS = Counter(
    "parley_dead_letters_total",
    "Moves when a message goes to a dead-letter topic; any movement wants a person's look.",
    ["topic", "group"],
)
SET_ASIDE_MESSAGES = Gauge(
    "parley_set_aside_messages",
    "Messages that the group's handler failed on, and those that wait behind them, in"
    " the partitions of this process. Above 0 wants a person's look: `parley set-aside list`.",
    ["topic", "group"],
)
SET_ASIDE_STREAMS = Gauge(
    "parley_set_aside_streams",
    "Streams of the event store with a commit that could not be read, projected or published. Above"
    " 0 wants a person's look: `parley set-aside list`.",
    ["collection"],
)
NOT_FOLLOWED = Counter(
    "parley_not_followed_total",
    "Moves for each record, row or thing that something which follows or sweeps many failed on; it"
    " was left out and the others went on. Any movement wants a person's look.",
    ["what"],
)
CONSUMER_STOPPED = Gauge(
    "parley_consumer_stopped_partitions",
    "1 while the group stands still at a message that a newer version of Parley wrote: roll this"
    " process forward. Nothing is lost; what comes after it on its partition waits.",
    ["topic", "group", "partition"],
)
TABLE_NEWER = Gauge(
    "parley_table_newer_states",
    "States of a compacted topic whose newest version only a newer Parley can read: while there are"
    " any, this process is not ready. Roll it forward.",
    ["topic"],
)
CONSUMER_RETRIES = Counter(
    "parley_consumer_retries_total",
    "Moves when a batch is tried again after a transient failure of a server it needs.",
    ["group"],
)
CONSUMER_LAG = Gauge(
    "parley_consumer_lag_messages",
    "Messages that wait between the group's position and the end of the partition.",
    ["topic", "group", "partition"],
)
CONSUMER_BATCH_SECONDS = Histogram(
    "parley_consumer_batch_seconds",
    "How long the effects of one batch took.",
    ["group"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
PUBLISH_FAILURES = Counter(
    "parley_publish_failures_total",
    "Moves when Kafka did not acknowledge a publish within its time.",
)
CONNECTIONS_REFUSED = Counter(
    "parley_connections_refused_total",
    "Moves when a client is let go before or beside its requests, by reason: connections (too many"
    " of its address), silent, too-slow, head-too-large, bad-request, frames (too many on a"
    " socket), unread (it takes nothing of what is sent)."
    " A few are browsers; many are somebody's attack.",
    ["reason"],
)
CERTIFICATE_ENDS = Gauge(
    "parley_certificate_ends_timestamp_seconds",
    "When the first certificate in a file that the process was given ends, as a Unix time; kafka-ca"
    " is the one by which Kafka's is checked. Read at the start.",
    ["certificate"],
)
STRANGERS_LIMITED = Counter(
    "parley_strangers_limited_total",
    "Moves when an address is told to wait because too much was refused to it: random tokens,"
    " webhooks and widgets of sources that are not there, forged signatures.",
)
PRODUCERS_MADE_ANEW = Counter(
    "parley_producers_made_anew_total",
    "Moves when the process gives up what it could not publish and begins with a new producer: the"
    " broker refused a batch, or acknowledged nothing for long. Often: look at Kafka's log.",
)
CONSUMERS_MADE_ANEW = Counter(
    "parley_consumers_made_anew_total",
    "Moves when a consumer could not go on, or not begin, and another one takes its place.",
    ["consumer"],
)
HTTP_REQUESTS = Counter(
    "parley_http_requests_total",
    "Moves for each HTTP request answered.",
    ["method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "parley_http_request_seconds",
    "From a request's first byte to the end of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
