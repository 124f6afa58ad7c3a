"""Each overlay on a real API server: taken whole, rolled as meant, held by its disruption budgets.

By hand, with ``make k8s-check``: its servers are built once by ``make k8s-servers``.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from libs.runtime.settings import SERVICES
from tests.support.deploy.cluster import Cluster, Refused, a_cluster, missing_programs
from tests.support.deploy.kubernetes import OVERLAYS, Manifest, copied, of_kind, rendered

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

LABEL: Final = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Installed:
    """An overlay on the cluster."""

    cluster: Cluster
    manifests: list[Manifest]
    namespace: str

    def kubectl(self, *words: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *words)

    def read(self, *words: str) -> Any:
        return self.cluster.read("-n", self.namespace, *words)

    def until(self, what: str, condition: str) -> None:
        self.kubectl("wait", f"--for=condition={condition}", what, "--timeout=120s")

    def runs(self) -> None:
        for service in SERVICES:
            self.until(f"deployment/{service}", "Available")
            self.kubectl("rollout", "status", f"deployment/{service}", "--timeout=120s")

    def pods(self, service: str) -> list[Any]:
        """Those that are there to stay."""
        pods: list[Any] = self.read("pods", "-l", f"{LABEL}={service}")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def names(self, service: str) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods(service)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if missing := missing_programs():
        pytest.skip(f"{', '.join(missing)}: build them with `make k8s-servers`")
    with a_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="module", params=OVERLAYS)
def installed(
    request: pytest.FixtureRequest, cluster: Cluster, folder: Path
) -> Iterator[Installed]:
    """Applied, as the operator does it; everything of it is gone afterwards."""
    manifests = rendered(folder / "overlays" / request.param)
    [namespace] = of_kind(manifests, "Namespace")
    told = cluster.apply(manifests)
    # What External Secrets makes of them, which is not here.
    given = [_secret(one, namespace) for one in of_kind(manifests, "ExternalSecret").values()]
    if given:
        cluster.apply(given)
    taken = [line.rpartition(" ")[2] for line in told.splitlines()]
    assert len(taken) == len(manifests)
    assert set(taken) == {"serverside-applied"}
    say(f"{request.param}: {len(taken)} objects taken")
    yield Installed(cluster, manifests, namespace)
    cluster.kubectl("delete", "namespace", namespace, "--timeout=120s")


def test_it_runs_once_the_migration_has_ended(installed: Installed) -> None:
    installed.until("job/migrate", "Complete")
    installed.runs()

    scaled = {
        one["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for one in of_kind(installed.manifests, kind).values()
    }
    deployments = of_kind(installed.manifests, "Deployment")
    for service in set(SERVICES) - scaled:
        wanted = deployments[service]["spec"].get("replicas", 1)
        assert len(installed.pods(service)) == wanted, service


def test_replicas_of_one_service_stand_on_different_nodes(installed: Installed) -> None:
    installed.runs()
    for service in SERVICES:
        nodes = [pod["spec"]["nodeName"] for pod in installed.pods(service)]
        assert len(set(nodes)) == len(nodes), (service, nodes)


def test_another_image_rolls_and_leaves_as_many_running_as_is_meant(installed: Installed) -> None:
    installed.runs()
    for service in SERVICES:
        before, spec = installed.names(service), installed.read("deployment", service)["spec"]
        pod, strategy = spec["template"]["spec"], spec["strategy"]
        containers = [one["name"] for one in (*pod.get("initContainers", ()), *pod["containers"])]
        images = [f"{name}=parley-inbox:next" for name in containers]
        assert strategy["type"] == "RollingUpdate"
        fewest = len(before) - int(strategy["rollingUpdate"]["maxUnavailable"])

        installed.kubectl("set", "image", f"deployment/{service}", *images)
        while True:
            status = installed.read("deployment", service)["status"]
            assert status.get("availableReplicas", 0) >= fewest, service
            if (
                status["observedGeneration"] > 1
                and status.get("updatedReplicas") == len(before)
                and status.get("availableReplicas") == len(before)
                and status["replicas"] == len(before)
            ):
                break

        after = installed.pods(service)
        assert installed.names(service).isdisjoint(before)
        assert {one["image"] for pod in after for one in pod["spec"]["containers"]} == {
            "parley-inbox:next"
        }
        say(f"{service}: {len(before)} rolled, never fewer than {fewest} available")


def test_a_budget_holds_while_the_nodes_are_drained(installed: Installed) -> None:
    installed.runs()
    nodes = [node["metadata"]["name"] for node in installed.cluster.read("nodes")["items"]]
    # What is evicted does not come again before the nodes take some.
    installed.cluster.kubectl("cordon", *nodes)
    try:
        for service in SERVICES:
            first, *others = sorted(installed.names(service))
            installed.cluster.evict(installed.namespace, first)
            for other in others:
                with pytest.raises(Refused, match="disruption budget"):
                    installed.cluster.evict(installed.namespace, other)
            say(f"{service}: one of {1 + len(others)} evicted, the others refused")
    finally:
        installed.cluster.kubectl("uncordon", *nodes)


def say(what: str) -> None:
    """For the docs, which show what was seen (``pytest -s``)."""
    sys.stdout.write(f"\n{what}")


def _secret(external: Manifest, namespace: str) -> Manifest:
    keys = [one["secretKey"] for one in external["spec"].get("data", ())]
    name = external["spec"]["target"].get("name", external["metadata"]["name"])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict.fromkeys(keys, "secret"),
    }
