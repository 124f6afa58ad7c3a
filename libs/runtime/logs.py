"""Structured logs: one JSON object a line, never the text of a message, never a secret."""

import logging
import sys
from typing import Final

import structlog
from opentelemetry import trace

_SAME_SECONDS: Final = 10.0
_REMEMBERED: Final = 1_000


def configure_logs(service: str, level: str) -> None:
    """Log to standard error as JSON with the service, the level, the time and the trace."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # The libraries' own warnings (aiokafka, pymongo, uvicorn) are wanted too, in the same shape.
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(NotAgain())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processor=structlog.processors.JSONRenderer(),
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class NotAgain(logging.Filter):
    """Lets a library say the very same thing once in ten seconds.

    While Kafka is away each of aiokafka's clients says so many times a second: the six services
    together wrote more than a thousand lines a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.name, record.getMessage()
        if record.created - self._said.get(said, 0) < _SAME_SECONDS:
            return False
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[said] = record.created
        return True


def _trace(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event
