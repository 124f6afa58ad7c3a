"""OpenTelemetry: off unless an endpoint is set; the trace goes through Kafka and HTTP headers."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span

_CARRIED: Final = frozenset({"traceparent", "tracestate"})

_tracer = trace.get_tracer("parley")
_provider: TracerProvider | None = None


def configure_tracing(service: str, endpoint: str) -> TracerProvider:
    """Send spans to the OTLP/HTTP collector at ``endpoint``, an address without a path; shut the
    provider down at the end."""
    # Imported here: the exporter brings in protobuf, which costs memory in each of six processes.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": f"parley-{service}"}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces"))
    )
    trace.set_tracer_provider(provider)
    global _provider
    _provider = provider
    return provider


@contextmanager
def span(name: str, carrier: Mapping[str, str] | None = None) -> Iterator[None]:
    """A span that continues the trace in ``carrier`` (``traceparent``), if there is one.

    A caller's trace is passed on also where tracing is off; without either, this costs nothing.
    """
    if _provider is None and not carrier:
        yield
        return
    context = propagate.extract(carrier) if carrier else None
    with _tracer.start_as_current_span(name, context=context):
        yield


def started(name: str, carrier: Mapping[str, str]) -> Span:
    """A span of the trace in ``carrier`` that its holder ends. One that nobody sees where there is
    no trace, or tracing is off."""
    if _provider is None or not carrier:
        return trace.INVALID_SPAN
    return _tracer.start_span(name, context=propagate.extract(carrier))


def started_of(group: str, headers: Iterable[Iterable[tuple[str, bytes | None]]]) -> list[Span]:
    """For each message of a batch that carries a trace, one span, which its holder ends."""
    if _provider is None:
        return []
    carriers = (
        {name: (text or b"").decode("ascii", "replace") for name, text in one if name in _CARRIED}
        for one in headers
    )
    return [started(f"process {group}", carrier) for carrier in carriers if carrier]


def trace_headers() -> dict[str, str]:
    """``traceparent`` (and ``tracestate``) of the current span; empty when there is none."""
    if trace.get_current_span() is trace.INVALID_SPAN:
        return {}
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers
