"""Ports of 127.0.0.1 that stay the same over restarts."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Below what Linux and macOS hand out to outgoing connections (from 32768 and 49152). A port from
# that range can be lost while its server is down, even to a client that, waiting for the server, is
# given the very port it dials and connects to itself; the server then cannot come back.
_RANGE: Final = range(20_000, 32_000)
_TRIES: Final = 200


def free_port() -> int:
    """A port that nothing listens on now. Errors: OSError when none is found."""
    for port in random.sample(_RANGE, _TRIES):
        if port_is_free(port):
            return port
    raise OSError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


def kept_ports(names: Sequence[str], path: Path) -> dict[str, int]:
    """A port for each name: the one written at ``path`` while that is free, else a new one."""
    kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name)
        while port is None or port in ports.values() or not port_is_free(port):
            port = free_port()
        ports[name] = port
    path.write_text(json.dumps(ports, indent=2) + "\n")
    return ports


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As the servers do: connections in TIME_WAIT do not keep them from listening again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
