"""Which stores of a folder belong together: what one of them tells of must be in the others.

Each store that a stack keeps here carries the stack's stamp, a file in its own folder. So a store
that was removed, or brought from elsewhere, is seen before anything is written beside the others.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_STAMP: Final = "parley-stack"


class StoresApart(Exception):
    """A store is missing, or another stack's; the message says which, and what to do."""


class Stores:
    """The stores of the stack over ``folder``: each by its name, and where its data are.

    A store that is given by address is none of these. Data that an older version left without a
    stamp are taken for this stack's. ``keys``: what tells the keys that the data are sealed with
    from any others, where the stack knows of keys. ``folders``: what is kept here without a server;
    an older version stamped none of them.
    """

    def __init__(
        self,
        folder: Path,
        stores: Mapping[str, Path],
        keys: str | None = None,
        folders: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder = folder
        self._folders = dict(folders or {})
        self._stores = {**stores, **self._folders}
        self._keys = keys
        self._path = folder / "stores.json"

    def check(self) -> None:
        """Before any of them is started. Errors: StoresApart."""
        known = self._known()
        if known is None:
            return
        keys = known.get("keys")
        if keys is not None and self._keys is not None and keys != self._keys:
            raise StoresApart(self._told("the keys here are not those the data were sealed with"))
        unstamped = set() if "folders" in known else set(self._folders)
        names = set(known["stores"]) | unstamped
        if names != set(self._stores):
            here, given = sorted(names - set(self._stores)), sorted(set(self._stores) - names)
            told = [f"the data of {name} are here and it is now given by address" for name in here]
            told += [f"{name} was given by address and would begin empty here" for name in given]
            raise StoresApart(self._told("; ".join(told)))
        for name, data in self._stores.items():
            stamp = _stamp_in(data)
            if stamp is None and name not in unstamped:
                raise StoresApart(self._told(f"the data of {name} are not in {data} any more"))
            if stamp not in (None, known["id"]):
                raise StoresApart(self._told(f"the data of {name} in {data} are another stack's"))

    def stamp(self) -> None:
        """Once all of them answer: from now on they belong together."""
        known = self._known() or {"id": uuid.uuid4().hex}
        for data in self._stores.values():
            data.mkdir(parents=True, exist_ok=True)
            (data / _STAMP).write_text(known["id"])
        keys = self._keys or known.get("keys")
        stamp = {
            "id": known["id"],
            "stores": sorted(self._stores),
            "folders": sorted(self._folders),
            "keys": keys,
        }
        self._path.write_text(json.dumps(stamp))

    def _known(self) -> dict[str, str] | None:
        if not self._path.exists():
            return None
        known: dict[str, str] = json.loads(self._path.read_text())
        return known

    def _told(self, what: str) -> str:
        others = ", ".join(sorted(self._stores))
        return (
            f"{what}, while the other stores ({others}) of {self._folder} tell of them: "
            f"put them back as they were, or begin anew without any data (`make clean`)"
        )


def _stamp_in(data: Path) -> str | None:
    path = data / _STAMP
    return path.read_text() if path.exists() else None
