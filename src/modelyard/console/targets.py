"""What people name at a terminal: a model, one of its versions, or something in the trash."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.console.client import Server, segment
from modelyard.errors import InvalidValue, NotFound
from modelyard.rules.sources import shown
from modelyard.rules.versions import parse_version

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Target:
    """A model, or with `version` one of its versions."""

    name: str
    version: int | None

    @property
    def path(self) -> str:
        """Where the API has it."""
        path = f"/models/{segment(self.name)}"
        return path if self.version is None else f"{path}/versions/{self.version}"

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}/{self.version}"


def parse_target(text: str) -> Target:
    """Return what NAME or NAME/VERSION means; `models:/` may stand before it, as in MLflow. Raises InvalidValue."""
    name, slash, version = text.removeprefix("models:/").partition("/")
    if not name:
        raise InvalidValue(f"{shown(text)} names no model; expected NAME or NAME/VERSION, such as house-prices/3.")
    return Target(name, parse_version(version) if slash else None)


def parse_version_target(text: str) -> Target:
    """Return what NAME/VERSION means. Raises InvalidValue."""
    target = parse_target(text)
    if target.version is None:
        raise InvalidValue(f"{shown(text)} names no version; expected NAME/VERSION, such as house-prices/3.")
    return target


def find_in_trash(server: Server, text: str) -> Mapping[str, Any]:
    """Return the one item of the trash that an id, NAME or NAME/VERSION means. Raises NotFound, InvalidValue."""
    if _ID.fullmatch(text):
        matching = [item for item in items_in_trash(server) if item["id"] == text]
    else:
        target = parse_target(text)
        matching = [
            item for item in items_in_trash(server) if (item["name"], item["version"]) == (target.name, target.version)
        ]
    if not matching:
        raise NotFound(f"There is no {shown(text)} in the trash; `modelyard trash list` shows what there is.")
    if len(matching) > 1:
        ids = ", ".join(item["id"] for item in matching)
        raise InvalidValue(f"{shown(text)} was deleted {len(matching)} times. Name one by its id: {ids}.")
    return matching[0]


def items_in_trash(server: Server) -> Iterator[Mapping[str, Any]]:
    """Yield everything in the trash, what was deleted last first."""
    token = None
    while True:
        page = server.get("/trash", {"max_results": 1000, "page_token": token}).document()
        yield from page["items"]
        token = page.get("next_page_token")
        if token is None:
            return
