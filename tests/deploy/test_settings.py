"""One list of settings, from their classes: the document, `make up`, Compose and Kubernetes."""

from pathlib import Path

import pytest

from libs.runtime.settings import SERVICES
from parley.given import settable
from parley.settings import DOCUMENT, Setting, all_settings, document
from tests.support.deploy.compose import model_with
from tests.support.deploy.kubernetes import OVERLAYS, copied, rendered, shared_settings

KNOWN = {one.name: one for one in all_settings()}


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m parley.settings"


@pytest.mark.parametrize("setting", KNOWN.values(), ids=KNOWN)
def test_a_setting_says_what_it_does(setting: Setting) -> None:
    assert setting.field.description


def test_a_row_tells_type_bounds_default_and_secrecy() -> None:
    interval = KNOWN["PARLEY_ANALYTICS_FLUSH_INTERVAL_SECONDS"]
    protocol, password = KNOWN["PARLEY_KAFKA_SECURITY_PROTOCOL"], KNOWN["PARLEY_KAFKA_PASSWORD"]

    assert (interval.kind, interval.default) == ("number > 0, ≤ 10", "0.5")
    assert interval.services == ("analytics",)
    assert "`SASL_SSL`" in protocol.kind
    assert (password.is_secret, protocol.is_secret) == (True, False)
    assert KNOWN["PARLEY_INGEST_PUBLIC_URL"].is_required


def test_compose_gives_settings_only_and_all_that_make_up_takes() -> None:
    services = model_with(dict.fromkeys(settable(), "given"))["services"]

    for service in SERVICES:
        given = {n for n in services[service]["environment"] if n.startswith("PARLEY_")}
        own = {name for name, one in KNOWN.items() if service in one.services}
        assert given <= KNOWN.keys()
        assert own & settable().keys() <= given


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_gives_settings_only_and_all_that_have_no_default(
    overlay: str, tmp_path: Path
) -> None:
    manifests = rendered(copied(tmp_path) / "overlays" / overlay)
    settings = shared_settings(manifests)
    required = {name for name, one in KNOWN.items() if one.is_required and not one.is_secret}

    assert settings.keys() <= KNOWN.keys()
    # Public keys go with each service's secret: `parley keys` makes them with the private ones.
    assert required - settings.keys() == {"PARLEY_VERIFYING_KEYS"}
