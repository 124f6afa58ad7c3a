"""The widget's own metrics."""

from prometheus_client import Counter, Gauge

WIDGET_SOCKETS = Gauge(
    "parley_widget_sockets",
    "Visitors' sockets open in this process.",
)
WIDGET_SOCKETS_BEHIND = Counter(
    "parley_widget_sockets_behind_total",
    "Moves when a socket is closed because it did not take its events fast enough.",
)
