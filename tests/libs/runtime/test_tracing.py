"""A trace goes through Parley, whether or not Parley's own spans are collected."""

from libs.runtime.tracing import span, trace_headers

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_callers_trace_is_passed_on_while_tracing_is_off() -> None:
    with span("work", {"traceparent": CALLERS}):
        assert trace_headers() == {"traceparent": CALLERS}


def test_without_a_trace_there_is_nothing_to_pass_on() -> None:
    with span("work"):
        assert trace_headers() == {}
    assert trace_headers() == {}
