"""Folders, their lock, and the ports written in them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from libs.devstack.folders import FolderInUse, FolderLock, devstack_folder, user_programs
from libs.devstack.ports import free_port, kept_ports


def test_the_folder_is_the_checkouts_unless_the_environment_names_one(tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[3]
    assert devstack_folder({}) == checkout / ".devstack"
    assert devstack_folder({"PARLEY_DEVSTACK_FOLDER": str(tmp_path)}) == tmp_path


def test_built_programs_lie_in_the_users_cache(tmp_path: Path) -> None:
    assert user_programs({}) == Path.home() / ".cache" / "parley" / "bin"
    assert user_programs({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "parley" / "bin"


def test_a_folder_in_use_is_refused_with_a_sentence_that_says_by_whom(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.take()
    with pytest.raises(FolderInUse, match=f"running already, started by process {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_a_folder_stays_in_use_while_servers_of_a_killed_parent_are_ending(tmp_path: Path) -> None:
    # given a server that inherited the lock, and whose parent is gone
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    first = FolderLock(tmp_path)
    first.take()
    with subprocess.Popen(["sleep", "0.5"], pass_fds=[first.descriptor]) as server:
        first.release()
        (tmp_path / "lock").write_text(str(gone.pid))
        # when the folder is asked for, then it is given once the server is gone
        second = FolderLock(tmp_path)
        second.take()
        assert server.poll() is not None
    second.release()


def test_ports_stay_the_same_while_they_are_free(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = kept_ports(("kafka", "mongodb"), path)
    assert len(set(first.values())) == 2
    assert kept_ports(("kafka", "mongodb"), path) == first


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = kept_ports(("kafka", "mongodb"), path)
    with socket.create_server(("127.0.0.1", first["kafka"])):
        second = kept_ports(("kafka", "mongodb"), path)
    assert second["kafka"] != first["kafka"]
    assert second["mongodb"] == first["mongodb"]


def test_ports_are_outside_the_range_of_outgoing_connections() -> None:
    assert all(20_000 <= free_port() < 32_000 for _ in range(20))
