"""The order of search results, from the `order_by` items of a request. No I/O.

Source: contracts/mlflow.md 2.3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelyard.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class OrderKey:
    """One key of an order, by the name that the database's side knows."""

    name: str
    descending: bool = False


# What a request may write -> what is meant.
Keys = Mapping[str, str]

REGISTERED_MODEL_KEYS: Keys = {"name": "name", "timestamp": "updated_at", "last_updated_timestamp": "updated_at"}
REGISTERED_MODEL_TIES = (OrderKey("name"),)
MODEL_VERSION_KEYS: Keys = {
    "name": "name",
    "version_number": "version",
    # databricks-sdk documents these two; OSS MLflow does not know them.
    "version": "version",
    "stage": "stage",
    "creation_timestamp": "created_at",
    "last_updated_timestamp": "updated_at",
}
MODEL_VERSION_DEFAULT = (OrderKey("updated_at", descending=True),)
MODEL_VERSION_TIES = (OrderKey("name"), OrderKey("version", descending=True))


def parse_order(
    items: Iterable[str], keys: Keys, *, default: Sequence[OrderKey] = (), ties: Sequence[OrderKey]
) -> list[OrderKey]:
    """Return the order that `items` ask for (`default` for none), `ties` appended so that it is total.

    Raises InvalidValue for an unknown key, a repeated one, or a word behind it that is no direction.
    """
    asked: dict[str, OrderKey] = {}
    for item in items:
        key = _parse_item(item, keys)
        if key.name in asked:
            raise InvalidValue(f"order_by names the same key twice, the second time by {item[:100]!r}. Name it once.")
        asked[key.name] = key
    order = list(asked.values()) or list(default)
    return order + [tie for tie in ties if tie.name not in {key.name for key in order}]


def _parse_item(item: str, keys: Keys) -> OrderKey:
    words = item.split()
    direction = words[1].upper() if len(words) == 2 else "ASC"
    key = words[0].strip("`") if words else ""
    if len(words) not in (1, 2) or direction not in ("ASC", "DESC") or key not in keys:
        raise InvalidValue(
            f"Invalid order_by {item[:100]!r}; expected one of {', '.join(keys)}, followed by ASC, DESC or nothing."
        )
    return OrderKey(keys[key], descending=direction == "DESC")
