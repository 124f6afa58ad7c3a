"""Data decide which server is started, and stores that do not belong together are refused."""

import json
import shutil
from pathlib import Path

import pytest
from pymongo import MongoClient

from libs.devstack import Devstack
from libs.devstack.mongodb import NoMongodb, mongodb_program
from libs.devstack.stores import Stores, StoresApart
from parley.suite import kept_folders

NAMES = ("Kafka", "MongoDB")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, beside the interpreter's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def install(folder: Path, name: str) -> None:
    program = folder / name
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)


def with_data(folder: Path, kind: str) -> None:
    (folder / f"data-{kind}").mkdir(parents=True)
    (folder / f"data-{kind}" / "WiredTiger").write_text("")


def test_a_new_folder_gets_the_fastest_server(programs: Path, tmp_path: Path) -> None:
    install(programs, "secantusd-rs")
    assert mongodb_program(tmp_path / "m", tmp_path / "none").kind == "secantusd-rs"
    install(programs, "mongod")
    assert mongodb_program(tmp_path / "m", tmp_path / "none").kind == "mongod"


@pytest.mark.parametrize("faster", ["mongod", "secantusd-rs"])
def test_data_decide_which_server_is_started(programs: Path, tmp_path: Path, faster: str) -> None:
    folder = tmp_path / "m"
    with_data(folder, "secantusd-py")
    (folder / f"data-{faster}").mkdir()  # empty: begun by nobody
    install(programs, faster)

    program = mongodb_program(folder, tmp_path / "none")

    assert (program.kind, program.faster) == ("secantusd-py", faster)
    assert program.data == folder / "data-secantusd-py"


def test_data_whose_server_is_gone_are_not_passed_over(programs: Path, tmp_path: Path) -> None:
    with_data(tmp_path / "m", "secantusd-rs")
    with pytest.raises(NoMongodb, match="secantusd-rs, which is not installed any more"):
        mongodb_program(tmp_path / "m", tmp_path / "none")


def test_data_of_two_servers_are_not_chosen_between(programs: Path, tmp_path: Path) -> None:
    for kind in ("secantusd-rs", "secantusd-py"):
        with_data(tmp_path / "m", kind)
    install(programs, "secantusd-rs")
    with pytest.raises(NoMongodb, match="data of several servers"):
        mongodb_program(tmp_path / "m", tmp_path / "none")


def stores(folder: Path, *names: str) -> Stores:
    return Stores(folder, {name: folder / name for name in names})


@pytest.fixture
def together(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).mkdir()
    stores(tmp_path, *NAMES).stamp()
    stores(tmp_path, *NAMES).check()
    return tmp_path


def test_a_store_that_is_missing_is_seen(together: Path) -> None:
    shutil.rmtree(together / "MongoDB")
    with pytest.raises(StoresApart, match="the data of MongoDB are not in"):
        stores(together, *NAMES).check()


def test_another_stacks_store_is_seen(
    together: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    stores(other, *NAMES).stamp()
    shutil.rmtree(together / "Kafka")
    shutil.copytree(other / "Kafka", together / "Kafka")
    with pytest.raises(StoresApart, match=r"Kafka in .* are another stack's"):
        stores(together, *NAMES).check()


def test_a_store_that_is_now_given_by_address_is_seen(together: Path) -> None:
    with pytest.raises(StoresApart, match="MongoDB are here and it is now given by address"):
        stores(together, "Kafka").check()
    with pytest.raises(StoresApart, match="ClickHouse was given by address"):
        stores(together, *NAMES, "ClickHouse").check()


def test_keys_that_the_data_were_not_sealed_with_are_seen(together: Path) -> None:
    named = {name: together / name for name in NAMES}
    Stores(together, named, "ours").check()  # an older version's: they are taken for ours
    Stores(together, named, "ours").stamp()

    stores(together, *NAMES).check()
    Stores(together, named, "ours").check()
    with pytest.raises(StoresApart, match="the keys here are not those the data were sealed with"):
        Stores(together, named, "others").check()


def with_folders(folder: Path, *names: str) -> Stores:
    servers = {name: folder / name for name in NAMES}
    return Stores(folder, servers, folders={name: folder / name for name in names})


@pytest.fixture
def with_attachments(together: Path) -> Path:
    """What an older version kept without a stamp is this stack's, and stamped from now on."""
    (together / "stores.json").write_text(
        json.dumps({"id": (together / "Kafka" / "parley-stack").read_text(), "stores": NAMES})
    )
    (together / "attachments").mkdir()
    (together / "attachments" / "photo").write_text("older")
    both = with_folders(together, "attachments", "anchors")
    both.check()
    both.stamp()
    both.check()
    return together


@pytest.mark.parametrize("name", ["attachments", "anchors"])
def test_a_folder_that_is_missing_or_was_emptied_is_seen(with_attachments: Path, name: str) -> None:
    shutil.rmtree(with_attachments / name)
    with pytest.raises(StoresApart, match=f"the data of {name} are not in"):
        with_folders(with_attachments, "attachments", "anchors").check()
    (with_attachments / name).mkdir()
    with pytest.raises(StoresApart, match=f"the data of {name} are not in"):
        with_folders(with_attachments, "attachments", "anchors").check()


@pytest.mark.parametrize("older", [True, False])
def test_another_stacks_folder_is_seen(
    with_attachments: Path, tmp_path_factory: pytest.TempPathFactory, older: bool
) -> None:
    other = tmp_path_factory.mktemp("other")
    with_folders(other, "attachments", "anchors").stamp()
    shutil.rmtree(with_attachments / "attachments")
    shutil.copytree(other / "attachments", with_attachments / "attachments")
    if older:  # stores.json says nothing of folders
        stores_json = with_attachments / "stores.json"
        kept = json.loads(stores_json.read_text())
        stores_json.write_text(json.dumps({"id": kept["id"], "stores": NAMES}))
    with pytest.raises(StoresApart, match=r"attachments in .* are another stack's"):
        with_folders(with_attachments, "attachments", "anchors").check()


def test_a_folder_that_is_now_given_by_address_is_seen(with_attachments: Path) -> None:
    with pytest.raises(StoresApart, match="attachments are here and it is now given by address"):
        with_folders(with_attachments, "anchors").check()


def test_folders_that_were_given_by_address_would_begin_empty(together: Path) -> None:
    with_folders(together).stamp()
    with pytest.raises(StoresApart, match="anchors was given by address and would begin empty"):
        with_folders(together, "anchors").check()


def test_the_suites_folders_are_stamped_unless_given_elsewhere(tmp_path: Path) -> None:
    both = {"attachments": tmp_path / "attachments", "anchors": tmp_path / "anchors"}
    assert kept_folders(tmp_path, {}) == both
    given = {"PARLEY_INGEST_STORAGE_URL": "s3://bucket"}
    assert kept_folders(tmp_path, given) == {"anchors": tmp_path / "anchors"}


def test_a_second_stamp_changes_nothing(together: Path) -> None:
    before = json.loads((together / "stores.json").read_text())
    stores(together, *NAMES).stamp()
    assert json.loads((together / "stores.json").read_text()) == before


@pytest.mark.servers
def test_what_was_written_is_there_after_a_faster_server_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    stack = Devstack(tmp_path / "stack", kafka_bootstrap="k:1", say=said.append)
    with stack, MongoClient[dict[str, object]](stack.servers.mongodb_url) as client:
        client["desk"]["letters"].insert_one({"_id": 1})
    install(bin_folder, "secantusd-rs")  # one that would not even start

    with stack, MongoClient[dict[str, object]](stack.servers.mongodb_url) as client:
        assert client["desk"]["letters"].count_documents({}) == 1

    assert any("secantusd-rs is faster" in sentence for sentence in said)
    shutil.rmtree(tmp_path / "stack" / "mongodb")
    with pytest.raises(StoresApart, match="MongoDB"):
        stack.start()
