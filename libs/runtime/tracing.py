"""OpenTelemetry: off unless an endpoint is set; the trace goes through Kafka and HTTP headers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_tracer = trace.get_tracer("parley")
_provider: TracerProvider | None = None


def configure_tracing(service: str, endpoint: str) -> TracerProvider:
    """Send spans to the OTLP/HTTP collector at ``endpoint``; shut the provider down at the end."""
    # Imported here: the exporter brings in protobuf, which costs memory in each of six processes.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": f"parley-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
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


def trace_headers() -> dict[str, str]:
    """``traceparent`` (and ``tracestate``) of the current span; empty when there is none."""
    if trace.get_current_span() is trace.INVALID_SPAN:
        return {}
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers
