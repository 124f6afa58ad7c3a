"""The gateway's own metrics."""

from prometheus_client import Counter, Gauge, Histogram

SIGN_INS = Counter(
    "parley_gateway_sign_ins_total",
    "Moves for each sign-in that was tried, by outcome: accepted, refused, limited.",
    ["outcome"],
)
API_TOKENS_ENDING = Gauge(
    "parley_gateway_api_tokens_ending",
    "API tokens that end within a week, counted now and then; those made within a week are not.",
)
PASSWORD_SECONDS = Histogram(
    "parley_gateway_password_seconds",
    "How long one password took to hash or verify, with the wait for its turn.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SESSION_LOOKUPS = Counter(
    "parley_gateway_session_lookups_total",
    "Moves for each token looked up, by where it was found: memory or store.",
    ["where"],
)
UPSTREAM_FAILURES = Counter(
    "parley_gateway_upstream_failures_total",
    "Moves when a service behind the gateway did not answer or refused the gateway's own token.",
    ["service"],
)
SOCKETS = Gauge("parley_gateway_live_sockets", "Live connections that are open now.")
FRAMES = Counter(
    "parley_gateway_live_frames_total",
    "Moves for each frame handed to a live connection, by its type.",
    ["type"],
)
REPEATS = Counter(
    "parley_gateway_live_repeats_total",
    "Moves when an event comes from Kafka again and is not shown again.",
)
GAPS = Counter(
    "parley_gateway_live_gaps_total",
    "Moves when an event's predecessor never came, and its workspace was told to reload.",
)
LIVE_SECONDS = Histogram(
    "parley_gateway_live_seconds",
    "From a customer's message being received by ingest to its frame on an agent's socket.",
    buckets=(0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 5, 30),
)
