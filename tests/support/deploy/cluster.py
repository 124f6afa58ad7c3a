"""A Kubernetes without machines: the real API server, controllers and scheduler, on nodes that
kwok pretends are there. A pod runs as soon as it is bound; no image is fetched, no probe asked."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from libs.devstack.folders import user_programs
from libs.devstack.ports import free_port
from libs.devstack.processes import ManagedProcess

PROGRAMS: Final = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
)
NODES: Final = 6
ZONES: Final = 3
_TOKEN: Final = "of-this-cluster-alone"
_READY_S: Final = 120.0


def missing_programs() -> list[str]:
    """Of those that ``make k8s-servers`` builds."""
    return [name for name in PROGRAMS if not (user_programs() / name).is_file()]


def built(what: str) -> list[Path]:
    """The files that are not programs: ``crds`` and ``stages``."""
    return sorted((user_programs().parent / what).glob("*.yaml"))


class Refused(Exception):
    """What kubectl says of what the API server does not take."""


class Cluster:
    def __init__(self, config: Path) -> None:
        self._config = config

    def kubectl(self, *words: str, said: str = "") -> str:
        """What it prints. Errors: Refused."""
        program = Path(sys.executable).with_name("kubectl")
        done = subprocess.run(
            [program, f"--kubeconfig={self._config}", *words],
            input=said,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> str:
        """What became of each. Errors: Refused."""
        said = yaml.safe_dump_all(manifests)
        return self.kubectl("apply", "--server-side", "-f", "-", said=said)

    def read(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def evict(self, namespace: str, pod: str) -> None:
        """As a drained node does. Errors: Refused, where a disruption budget holds."""
        asked = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", said=json.dumps(asked))


@contextmanager
def a_cluster(folder: Path) -> Iterator[Cluster]:
    """With nodes in three zones, and the definitions of the custom kinds that are used."""
    etcd, peer, api, controllers, scheduler, kwok = (free_port() for _ in range(6))
    key, public = _signing_keys(folder)
    config = _kubeconfig(folder, api)
    (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    as_client = [f"--kubeconfig={config}", "--leader-elect=false"]
    commands: dict[str, list[str]] = {
        "etcd": [
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ],
        "kube-apiserver": [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api}",
            f"--cert-dir={folder / 'api'}",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
        ],
        "kube-controller-manager": [
            *as_client,
            "--bind-address=127.0.0.1",
            f"--secure-port={controllers}",
            f"--cert-dir={folder / 'controllers'}",
            f"--service-account-private-key-file={key}",
        ],
        "kube-scheduler": [
            *as_client,
            "--bind-address=127.0.0.1",
            f"--secure-port={scheduler}",
            f"--cert-dir={folder / 'scheduler'}",
        ],
        "kwok": [
            f"--kubeconfig={config}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{kwok}",
            *(f"--config={file}" for file in built("stages")),
        ],
    }
    cluster = Cluster(config)

    def answers() -> bool:
        try:
            return cluster.kubectl("get", "--raw", "/readyz") == "ok"
        except Refused:
            return False

    with ExitStack() as stack:
        for name, options in commands.items():
            process = ManagedProcess(
                name,
                [str(user_programs() / name), *options],
                log_path=folder / f"{name}.log",
                ready=answers if name == "kube-apiserver" else lambda: True,
                environment={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
            )
            stack.enter_context(_running(process))
        for file in built("crds"):
            cluster.kubectl("apply", "--server-side", "-f", str(file))
        cluster.apply([_node(number) for number in range(NODES)])
        cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield cluster


@contextmanager
def _running(process: ManagedProcess) -> Iterator[None]:
    process.start()
    try:
        process.wait_ready(_READY_S)
        yield
    finally:
        process.stop()


def _signing_keys(folder: Path) -> tuple[Path, Path]:
    """With which tokens of service accounts are signed: the private and the public one."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    private, public = folder / "accounts.key", folder / "accounts.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def _kubeconfig(folder: Path, port: int) -> Path:
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def _node(number: int) -> dict[str, Any]:
    name = f"node-{number}"
    room = {"cpu": "16", "memory": "64Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/zone": f"zone-{number % ZONES}",
            },
        },
        "status": {"allocatable": room, "capacity": room},
    }
