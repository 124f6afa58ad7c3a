"""The manifests of deploy/k8s: by Kubernetes' own schemas, and by what Parley says of itself."""

from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from libs.events.topics import topic_specs
from libs.runtime.settings import SERVICES, load
from libs.runtime.trust import TRUST
from parley.keys import MIGRATE, all_keys, secrets_of
from parley.services import service_spec
from tests.support.deploy.kubernetes import (
    GIVEN,
    KAFKA_ACCOUNT,
    OVERLAYS,
    Manifest,
    container_of,
    copied,
    of_kind,
    own_name,
    rendered,
    settings_of,
    shared_settings,
)

VERSIONS: Final = ("1.35", "1.36", "1.37")
# Of operators: their schemas are not Kubernetes'.
CUSTOM: Final = frozenset(
    {"ExternalSecret", "PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"}
)
PUBLIC: Final = ("gateway", "ingest")
RESERVE_S: Final = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, folder: Path) -> list[Manifest]:
    return rendered(folder / "overlays" / request.param)


@pytest.fixture(scope="module")
def small(folder: Path) -> list[Manifest]:
    return rendered(folder / "overlays" / "small")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_what_its_version_of_kubernetes_knows(
    manifests: list[Manifest], version: str
) -> None:
    for one in manifests:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_is_refused(small: list[Manifest]) -> None:
    gateway = of_kind(small, "Deployment")["gateway"]
    wrong = yaml.safe_load(yaml.safe_dump(gateway).replace("readinessProbe", "readynessProbe"))

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_service_is_deployed_watched_and_kept(manifests: list[Manifest]) -> None:
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert set(of_kind(manifests, kind)) == set(SERVICES)
    assert set(of_kind(manifests, "Job")) == {MIGRATE}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_and_arguments_are_the_services(manifests: list[Manifest], name: str) -> None:
    container = container_of(of_kind(manifests, "Deployment")[name])
    fields = service_spec(name).settings.model_fields
    wanted = {"http": fields[f"{name}_port"].default}
    if name in PUBLIC:
        wanted["metrics"] = fields[f"{name}_operations_port"].default

    service = of_kind(manifests, "Service")[name]["spec"]

    assert {port["name"]: port["containerPort"] for port in container["ports"]} == wanted
    assert {port["name"]: port["port"] for port in service["ports"]} == wanted
    assert {port["targetPort"] for port in service["ports"]} == set(wanted)
    assert container["args"] == ["serve", name]


@pytest.mark.parametrize("name", SERVICES)
def test_probes_ask_what_the_process_answers(manifests: list[Manifest], name: str) -> None:
    container = container_of(of_kind(manifests, "Deployment")[name])

    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")
    }

    assert asked["readiness"] == {"path": "/readyz", "port": "http"}
    assert asked["startup"] == asked["liveness"] == {"path": "/healthz", "port": "http"}


@pytest.mark.parametrize("name", [*SERVICES, MIGRATE])
def test_a_pod_may_do_no_more_than_it_must(manifests: list[Manifest], name: str) -> None:
    workload = (of_kind(manifests, "Deployment") | of_kind(manifests, "Job"))[name]
    pod = workload["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_is_given_longer_to_end_than_its_service_takes(
    manifests: list[Manifest], name: str
) -> None:
    deployment = of_kind(manifests, "Deployment")[name]
    settings = settings_of(manifests, container_of(deployment))

    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    assert grace >= float(settings["PARLEY_SHUTDOWN_TIMEOUT_SECONDS"]) + RESERVE_S


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_what_it_is_given(manifests: list[Manifest], name: str) -> None:
    container = container_of(of_kind(manifests, "Deployment")[name])
    environment = settings_of(manifests, container) | secrets_given(manifests, name)

    settings = load(service_spec(name).settings, environment)

    assert settings.host == "0.0.0.0"  # noqa: S104  # inside its pod
    assert settings.webhooks_allow_private is False


@pytest.mark.parametrize("name", [*SERVICES, MIGRATE])
def test_a_pod_reads_its_own_secret_and_no_other(manifests: list[Manifest], name: str) -> None:
    workload = (of_kind(manifests, "Deployment") | of_kind(manifests, "Job"))[name]
    pod = workload["spec"]["template"]["spec"]

    read = {
        own_name(source["secretRef"]["name"])
        for container in (*pod.get("initContainers", ()), *pod["containers"])
        for source in container["envFrom"]
        if "secretRef" in source
    }

    assert read == {f"parley-{name}"}


def test_no_secret_stands_among_the_settings(manifests: list[Manifest]) -> None:
    secret = {name for service in (*SERVICES, MIGRATE) for name in secrets_of(service)}

    assert not secret & shared_settings(manifests).keys()


def test_every_secret_is_read_and_every_secret_read_is_there(manifests: list[Manifest]) -> None:
    made = of_kind(manifests, "Secret") | of_kind(manifests, "ExternalSecret")
    names = {own_name(name) for name in made}

    assert names == {f"parley-{name}" for name in (*SERVICES, MIGRATE)}


def test_generated_secrets_hold_settings_of_their_service_only(folder: Path) -> None:
    for name, secret in of_kind(rendered(folder / "overlays" / "dev"), "Secret").items():
        service = own_name(name).removeprefix("parley-")
        assert secret["data"].keys() <= secrets_of(service), name


def test_the_arrows_between_services_are_those_of_the_trust_table(small: list[Manifest]) -> None:
    trusted = {
        (operation.caller, callee)
        for callee, operations in TRUST.items()
        for operation in operations.values()
        if operation.caller in SERVICES
    }

    policies = of_kind(small, "NetworkPolicy").values()

    assert arrows(policies, "ingress", "from") == trusted
    assert arrows(policies, "egress", "to") == trusted


def test_a_policy_refuses_what_none_names(manifests: list[Manifest]) -> None:
    everybody = {"matchLabels": {"app.kubernetes.io/part-of": "parley"}}

    nothing = of_kind(manifests, "NetworkPolicy")["nothing-by-default"]["spec"]

    assert nothing == {"podSelector": everybody, "policyTypes": ["Ingress", "Egress"]}
    for kind in ("Deployment", "Job"):
        for workload in of_kind(manifests, kind).values():
            labels = workload["spec"]["template"]["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "parley"


def test_either_an_overlay_or_a_scaler_says_how_many_there_are(manifests: list[Manifest]) -> None:
    scalers = of_kind(manifests, "HorizontalPodAutoscaler") | of_kind(manifests, "ScaledObject")
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in scalers.values()}
    deployments = of_kind(manifests, "Deployment")

    said = {name for name, one in deployments.items() if "replicas" in one["spec"]}

    assert said == deployments.keys() - scaled


def test_a_scaler_reads_the_lag_of_a_group_of_its_service(folder: Path) -> None:
    scalers = of_kind(rendered(folder / "overlays" / "large"), "ScaledObject")

    assert scalers
    partitions = {spec.name: spec.partitions for spec in topic_specs()}
    for scaler in scalers.values():
        streams = service_spec(scaler["spec"]["scaleTargetRef"]["name"]).streams
        groups = {one.group: {topic.value for topic in one.topics} for one in streams.subscriptions}
        for trigger in scaler["spec"]["triggers"]:
            told = trigger["metadata"]
            assert told["topic"] in groups[told["consumerGroup"]]
            assert scaler["spec"]["maxReplicaCount"] <= partitions[told["topic"]]


def test_monitors_ask_ports_that_services_have(small: list[Manifest]) -> None:
    services = of_kind(small, "Service")
    for monitor in of_kind(small, "ServiceMonitor").values():
        [expression] = monitor["spec"]["selector"]["matchExpressions"]
        [endpoint] = monitor["spec"]["endpoints"]
        for name in expression["values"]:
            assert endpoint["port"] in {p["name"] for p in services[name]["spec"]["ports"]}
            assert endpoint["port"] == ("metrics" if name in PUBLIC else "http")


def secrets_given(manifests: list[Manifest], service: str) -> dict[str, str]:
    """What the service's secret holds, whoever makes it."""
    wanted = secrets_of(service)
    if "PARLEY_KAFKA_SECURITY_PROTOCOL" not in shared_settings(manifests):
        wanted -= KAFKA_ACCOUNT
    known = {**GIVEN, **all_keys({})}
    return {name: known[name] for name in wanted if name in known}


def arrows(policies: Any, direction: str, peer: str) -> set[tuple[str, str]]:
    """Caller and callee of each arrow that the policies let through, of Parley's own pods."""
    found = set()
    for policy in policies:
        own = policy["spec"]["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name")
        for rule in policy["spec"].get(direction, ()):
            for other in rule.get(peer, ()):
                labels = other.get("podSelector", {}).get("matchLabels", {})
                if name := labels.get("app.kubernetes.io/name"):
                    found.add((own, name) if direction == "egress" else (name, own))
    return found
