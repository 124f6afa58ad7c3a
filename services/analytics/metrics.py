"""What analytics counts about itself, beside what every process does."""

from prometheus_client import Counter, Histogram

ROWS = Counter(
    "parley_analytics_rows_total",
    "Moves for each row written to ClickHouse; a repeated event moves it and changes no figure.",
    ["table"],
)
INSERT_SECONDS = Histogram(
    "parley_analytics_insert_seconds",
    "How long one insert of a batch into one table took.",
    ["table"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUERY_SECONDS = Histogram(
    "parley_analytics_query_seconds",
    "How long one query of a report took, the wait for its turn included.",
    ["query"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
