"""How tests are written, and where they stand.

Helpers stand in tests/support, nobody waits for a fixed time, and the folders mirror the sources.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TESTS: Final = ROOT / "tests"

NOTHING_COMES: Final = "that nothing comes is seen only after a while"
OF_ITS_OWN_PACE: Final = "what is tested goes on while somebody writes, asks or is away at a pace"
TAKES_A_MOMENT: Final = "the double's work takes a moment, so that others meet it under way"
LOOKED_AT_EACH_SECOND: Final = "no replica says when it has looked who is blocked"
CLOCK: Final = "the clock has to go on"
# Each with how many pauses of a fixed length it has, and why no state could be waited for instead.
PAUSES: Final[dict[str, tuple[int, str]]] = {
    "benchmarks/test_load.py": (1, OF_ITS_OWN_PACE),
    "e2e/test_erasure.py": (1, NOTHING_COMES),
    "libs/devstack/test_processes.py": (2, "a test without a loop; that a child lives on"),
    "libs/eventstore/test_outbox.py": (1, NOTHING_COMES),
    "libs/runtime/test_broker_away.py": (1, OF_ITS_OWN_PACE),
    "libs/runtime/test_combine.py": (1, TAKES_A_MOMENT),
    "libs/runtime/test_consumer.py": (3, f"{NOTHING_COMES}; {OF_ITS_OWN_PACE}"),
    "libs/runtime/test_follower.py": (1, OF_ITS_OWN_PACE),
    "libs/runtime/test_process.py": (2, TAKES_A_MOMENT),
    "libs/runtime/test_producer.py": (2, OF_ITS_OWN_PACE),
    "libs/runtime/test_secrets.py": (1, CLOCK),
    "libs/runtime/test_server.py": (2, OF_ITS_OWN_PACE),
    "libs/runtime/test_sharing.py": (4, TAKES_A_MOMENT),
    "libs/runtime/test_storage.py": (1, "a store that never answers"),
    "libs/runtime/test_table.py": (1, "Kafka's cleaner says nothing; the test holds without it"),
    "services/conversation/consumers/test_blocked_customers.py": (2, LOOKED_AT_EACH_SECOND),
    "services/conversation/consumers/test_new_conversations.py": (
        3,
        f"{LOOKED_AT_EACH_SECOND}; {NOTHING_COMES}",
    ),
    "services/conversation/privacy/erasure/test_erasure_process.py": (1, OF_ITS_OWN_PACE),
    "services/conversation/read_models/inbox/test_counts.py": (1, LOOKED_AT_EACH_SECOND),
    "services/conversation/read_models/inbox/test_inbox.py": (1, OF_ITS_OWN_PACE),
    "services/conversation/read_models/inbox/test_paging.py": (1, CLOCK),
    "services/conversation/read_models/rebuild/test_rebuild.py": (1, OF_ITS_OWN_PACE),
    "services/conversation/read_models/time_travel/test_history.py": (2, CLOCK),
    "services/gateway/test_edges.py": (1, NOTHING_COMES),
    "services/gateway/live/test_live.py": (1, OF_ITS_OWN_PACE),
    "services/ingest/channels/widget/test_hostile_pages.py": (1, NOTHING_COMES),
    "services/ingest/sending/test_pace.py": (1, TAKES_A_MOMENT),
    "services/ingest/sending/test_sending.py": (1, NOTHING_COMES),
    "services/routing/publishing/test_directory_topic.py": (1, NOTHING_COMES),
    "support/containers.py": (1, "looks again, before there is a loop"),
    "support/crash/gate.py": (1, "a platform that never answers"),
    "support/crash/invariants.py": (2, NOTHING_COMES),
    "support/crash/load.py": (3, OF_ITS_OWN_PACE),
    "support/crash/parts.py": (5, OF_ITS_OWN_PACE),
    "support/crash/screen.py": (1, OF_ITS_OWN_PACE),
    "support/eventually.py": (1, "the one that waits for all others"),
    "support/runtime/own_kafka.py": (1, OF_ITS_OWN_PACE),
    "support/ingest/widget/page.py": (1, "for pictures, which a person asks for"),
}

EVERY_SERVICE: Final = "gateway, routing, conversation, ingest, notify, analytics"
# What stands at the top of a service's tests without a module of that name: what it goes through.
THROUGH_A_SERVICE: Final[dict[str, str]] = {
    "services/analytics/test_projection.py": "facts, consumers, the tables, reports",
    "services/analytics/test_service.py": "the topics, the tables, HTTP",
    "services/analytics/test_taken_back.py": "facts, consumers, the tables, reports",
    "services/conversation/machine": "every command and consumer, with crashes",
    "services/conversation/test_expiry.py": "the indexes of every collection",
    "services/conversation/test_poison.py": "the store, the read models, HTTP",
    "services/conversation/test_steps.py": "append, project, publish, mark",
    "services/conversation/test_story.py": "the topics, the read models, HTTP",
    "services/conversation/test_transitions.py": "every command in every state of a case",
    "services/conversation/test_versions.py": "the store, the read models, HTTP",
    "services/gateway/test_edges.py": EVERY_SERVICE,
    "services/gateway/test_foreign_location.py": EVERY_SERVICE,
    "services/gateway/test_fuzz.py": EVERY_SERVICE,
    "services/gateway/test_openapi.py": "every route of the gateway",
    "services/gateway/test_passing_on.py": EVERY_SERVICE,
    "services/routing/test_poison.py": "the store, the topic, HTTP",
}


@cache
def modules() -> Sequence[tuple[str, ast.Module]]:
    return [
        (path.relative_to(TESTS).as_posix(), ast.parse(path.read_text()))
        for path in sorted(TESTS.rglob("*.py"))
    ]


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def pauses_in(tree: ast.Module) -> int:
    """Calls of any ``sleep`` that last: ``sleep(0)`` only lets others go first."""
    return sum(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
        for node in ast.walk(tree)
    )


def test_tests_import_their_helpers_from_support_only() -> None:
    wrong = [
        f"{path}: {name}"
        for path, tree in modules()
        for name in imported(tree)
        if name.startswith("tests.") and not name.startswith("tests.support.")
    ]

    assert wrong == [], "what two test modules need belongs into tests/support"


def test_a_pause_of_a_fixed_length_has_a_reason() -> None:
    found = {path: number for path, tree in modules() if (number := pauses_in(tree))}

    assert found == {path: number for path, (number, _reason) in PAUSES.items()}, (
        "wait for a state with tests.support.eventually, or say here why there is none"
    )


def test_there_is_one_way_to_wait_for_a_state() -> None:
    defined = [
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "eventually"
    ]

    assert set(defined) == {"support/eventually.py"}


def test_tests_of_a_service_stand_where_the_sources_do() -> None:
    """Each folder is a room of the service, each module at the top a module there."""
    services = TESTS / "services"
    rooms = [path.parent for path in services.glob("*/**/__init__.py")]
    without = [path for path in (*rooms, *services.glob("*/test_*.py")) if not has_source(path)]

    found = {path.relative_to(TESTS).as_posix() for path in without}
    assert found == set(THROUGH_A_SERVICE), (
        "move it into the room of what it tests, or say here what it goes through"
    )


def has_source(path: Path) -> bool:
    source = ROOT / path.relative_to(TESTS)
    return source.is_dir() or source.with_name(path.name.removeprefix("test_")).is_file()


def test_what_continuous_integration_runs_is_there() -> None:
    """A path that is gone would be ignored in silence, and its tests run twice or never."""
    script = (ROOT / ".ci/run").read_text().replace("$services", "tests/services")
    named = set(re.findall(r"tests/[\w./]+", script + (ROOT / "Makefile").read_text()))

    assert "tests/services/gateway" in named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
