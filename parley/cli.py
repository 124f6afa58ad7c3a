"""``parley``: what an operator or a newcomer types."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Literal

import click
import uvloop
from pymongo.errors import PyMongoError

from libs.events.topics import Topic
from libs.runtime.away import SERVER_AWAY
from libs.runtime.kafka_access import KafkaRefused
from libs.runtime.logs import configure_logs
from libs.runtime.process import ServiceSpec, serve
from libs.runtime.settings import SERVICES, MongoSettings, Settings, SettingsError, load
from parley.services import service_spec

_NOT_REACHED: Final[tuple[type[Exception], ...]] = (*SERVER_AWAY, PyMongoError, ConnectionError)
_EXAMINED_EVERY_S: Final = 2.0
TOPICS = click.Choice([topic.value.removeprefix("parley.") for topic in Topic])


def main() -> None:
    try:
        cli(standalone_mode=True)
    except (SettingsError, KafkaRefused) as error:
        sys.exit(f"parley: {error}")
    except _NOT_REACHED as error:
        # A server that is not there is the operator's to mend: a sentence, not a stack of frames.
        sys.exit(f"parley: a server does not answer: {error} (`parley doctor` looks at each)")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="parley-inbox")
def cli() -> None:
    """A team inbox for every channel a company's customers write to."""


@cli.command("serve")
@click.argument("service", type=click.Choice(SERVICES))
def serve_command(service: str) -> None:
    """Run one service until it is told to stop."""
    spec = service_spec(service)
    settings = load(spec.settings)
    configure_logs(service, settings.log_level)
    _run(_serve(spec, settings))


async def _serve(spec: ServiceSpec[Any], settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    port = getattr(settings, f"{spec.name}_port")
    await serve(spec, settings, port, stop, getattr(settings, f"{spec.name}_operations_port", 0))


@cli.command()
def migrate() -> None:
    """Make the topics, indexes and tables that are missing. Safe to repeat."""
    from parley.migrate import migrate_all

    for line in _run(migrate_all()):
        click.echo(line)


@cli.command()
@click.argument("server", type=click.Choice(["kafka", "mongodb"]))
def accounts(server: Literal["kafka", "mongodb"]) -> None:
    """Give each service an account at a server, with its rights. Asked from the server's own
    network, as the Compose file does. Safe to repeat."""
    from parley.accounts import passwords
    from parley.accounts.kafka import make_kafka_accounts
    from parley.accounts.mongodb import make_mongodb_accounts

    given = passwords(server, os.environ)
    if server == "kafka":
        told = load(Settings)
        making = make_kafka_accounts(told.kafka, given, told.kafka_namespace)
    else:
        stores = load(MongoSettings)
        making = make_mongodb_accounts(
            stores.mongodb_url.get_secret_value(), stores.mongodb_database, given
        )
    click.echo(_run(making))


@cli.command()
@click.option("--gateway-url", required=True, help="where the gateway answers")
@click.option("--name", required=True, help="the workspace's name")
@click.option("--owner-name", required=True)
@click.option("--owner-email", required=True)
@click.option("--language", type=click.Choice(["ru", "uk", "en"]), default="en", show_default=True)
@click.option("--time-zone", default="UTC", show_default=True, help="of the first location")
def bootstrap(**workspace: str) -> None:
    """Make the first workspace with its owner; the password is random and shown once."""
    from parley.bootstrap import BootstrapFailed, BootstrapSettings, bootstrap_workspace

    url = workspace.pop("gateway_url")
    try:
        made = _run(bootstrap_workspace(load(BootstrapSettings), url, workspace))
    except BootstrapFailed as error:
        raise click.ClickException(str(error)) from error
    click.echo(made.told())


@cli.group()
def dlq() -> None:
    """Look at dead letters and send them round again."""


@dlq.command("list")
@click.argument("topic", type=TOPICS, required=False)
def dlq_list(topic: str | None) -> None:
    """Where each dead letter is, when it was buried and why; no content."""
    from parley.dead_letters import dead_letters

    async def listing() -> None:
        settings = load(Settings)
        for one in [Topic(f"parley.{topic}")] if topic else list(Topic):
            async for letter in dead_letters(settings, one):
                name = one.value.removeprefix("parley.")
                place = f"{name} {letter.partition} {letter.offset}"
                click.echo(f"{place}\t{letter.buried_at:%Y-%m-%dT%H:%M:%SZ}\t{letter.reason}")

    _run(listing())


@dlq.command("show")
@click.argument("topic", type=TOPICS)
@click.argument("partition", type=int)
@click.argument("offset", type=int)
def dlq_show(topic: str, partition: int, offset: int) -> None:
    """One dead letter: its headers, and its original bytes on standard output."""
    from parley.dead_letters import NoSuchDeadLetter, dead_letter_at

    try:
        letter = _run(dead_letter_at(load(Settings), Topic(f"parley.{topic}"), partition, offset))
    except NoSuchDeadLetter as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"reason: {letter.reason}\nfrom: {letter.origin}", err=True)
    for name, value in letter.headers:
        click.echo(f"{name}: {value.decode(errors='replace')}", err=True)
    sys.stdout.buffer.write(letter.value or b"")


@dlq.command("replay")
@click.argument("topic", type=TOPICS)
@click.argument("partition", type=int)
@click.argument("offset", type=int)
def dlq_replay(topic: str, partition: int, offset: int) -> None:
    """Put one dead letter's original back on its topic."""
    from parley.dead_letters import NoSuchDeadLetter, NotReplayable, dead_letter_at, replay

    async def again() -> str:
        settings = load(Settings)
        letter = await dead_letter_at(settings, Topic(f"parley.{topic}"), partition, offset)
        position = await replay(settings, letter)
        return f"parley.{topic} {position.partition} {position.offset}"

    try:
        click.echo(_run(again()))
    except (NoSuchDeadLetter, NotReplayable) as error:
        raise click.ClickException(str(error)) from error


@cli.group("set-aside")
def set_aside() -> None:
    """Look at streams and messages that failed alone, and try them again."""


@set_aside.command("list")
def set_aside_list() -> None:
    """Where each is, its stream, how many wait, and what kind of failure it was; no content."""
    from parley.set_aside import messages_aside, streams_aside

    async def listing() -> None:
        settings = load(MongoSettings)
        for one in (*await streams_aside(settings), *await messages_aside(settings)):
            click.echo(one.told())

    _run(listing())


@set_aside.command("retry")
@click.argument("streams", nargs=-1)
def set_aside_retry(streams: tuple[str, ...]) -> None:
    """Have the running services try again, these streams or all. Status 1 where some are left."""
    from parley.set_aside import retry

    left = _run(retry(load(MongoSettings), streams))
    for one in left:
        click.echo(one.told())
    if not left:
        click.echo("nothing is set aside any more")
    sys.exit(bool(left))


@cli.command()
@click.argument(
    "read_model", type=click.Choice(["inbox", "messages", "customers", "attachments", "search"])
)
def rebuild(read_model: str) -> None:
    """Build a read model again from the events, beside the live one, and swap it in."""
    from parley.rebuild import rebuild_read_model
    from services.conversation.read_models.rebuild.renewal import BeingRebuilt

    try:
        click.echo(f"{read_model}: {_run(rebuild_read_model(read_model))}")
    except BeingRebuilt as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@click.argument("conversation", required=False)
@click.option("--key", "keys", multiple=True, help="a public key that signed anchors before")
def verify(conversation: str | None, keys: tuple[str, ...]) -> None:
    """Tell what was altered, removed or inserted among the events: of one conversation, or of all.

    Compares the chains of what is stored with each other and with the anchors. Status 1 where
    anything was found.
    """
    from parley.verify import NoSuchStream, Report
    from parley.verify import verify as verified

    report = Report()

    async def telling() -> None:
        async for line in verified(report, conversation, keys):
            click.echo(line)

    try:
        _run(telling())
    except NoSuchStream as error:
        raise click.ClickException(str(error)) from error
    sys.exit(bool(report.findings))


@cli.command("keys")
@click.option(
    "--into",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="write each service's own secrets there, as <service>.env",
)
def keys_command(folder: Path | None) -> None:
    """Print a key pair for each service, as settings; give each service only its own private one.

    Those that the environment has already are printed again.
    """
    from parley.keys import service_keys, write_secrets

    if folder is not None:
        for path in write_secrets(folder, os.environ):
            click.echo(path)
        return
    for name, key in service_keys(os.environ).items():
        click.echo(f"{name}={key}")


@cli.command("rotate-keys")
def rotate_keys_command() -> None:
    """Give each workspace a new key, which wraps the keys of its customers' data from now on."""
    from parley.rotate_keys import rotate_keys

    click.echo(_run(rotate_keys()))


@cli.command()
@click.option(
    "--service", type=click.Choice(SERVICES), help="only what keeps this one from starting"
)
@click.option(
    "--wait", is_flag=True, help="until its servers answer and are migrated to this build"
)
@click.option("--public-url", help="ask only whether Telegram could reach ingest at this address")
def doctor(service: str | None, wait: bool, public_url: str | None) -> None:
    """Check settings and servers, and say in words what is wrong."""
    from parley.doctor import examine, examine_public_url, examine_service

    if wait and service is None:
        raise click.UsageError("--wait needs --service")
    if public_url and service:
        raise click.UsageError("--public-url goes without --service")
    told: list[str] = []
    while True:
        if public_url:
            findings = _run(examine_public_url(public_url))
        else:
            findings = _run(examine_service(service) if service else examine())
        for finding in findings:
            if finding not in told:
                click.echo(finding)
        told = findings
        if not findings:
            click.echo("everything is in order")
        if not (findings and wait):
            sys.exit(bool(findings))
        time.sleep(_EXAMINED_EVERY_S)


@cli.command()
def up() -> None:
    """Start everything on this machine, by Docker Compose or without, until Ctrl-C."""
    from parley.up import Failed, up_here

    try:
        up_here()
    except Failed as error:
        raise click.ClickException(str(error)) from error


@cli.command()
def down() -> None:
    """Stop what `parley up` started."""
    from parley.up import down_here

    click.echo(down_here())


@cli.command()
def demo() -> None:
    """Tell one customer's story over Telegram against a double of its Bot API."""
    from parley.demo import tell

    tell()


def _run[T](work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
