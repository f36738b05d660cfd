"""What compose.yaml promises, read as Docker Compose reads it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).parents[1] / "compose.yaml"
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")
REQUIRED = {
    "MODELYARD_ADMIN_TOKEN": "the-administrator-s-token",
    "MODELYARD_SECRET_KEY": "a key of more than 16 characters",
    "MODELYARD_PUBLIC_URL": "http://models.example",
    "POSTGRES_PASSWORD": "passw0rd",
}


def load_compose(environment: dict[str, str]) -> dict[str, Any]:
    """Return the document with its variables filled in. Raises KeyError with the message of one that is missing."""

    def value_of(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        if name in environment:
            return environment[name]
        if operator == ":?":
            raise KeyError(word)
        return str(word)

    text = "\n".join(line for line in COMPOSE.read_text().splitlines() if not line.lstrip().startswith("#"))
    return dict(yaml.safe_load(VARIABLE.sub(value_of, text)))


@pytest.mark.parametrize("missing", REQUIRED)
def test_nothing_starts_without_its_secrets(missing: str) -> None:
    given = {name: value for name, value in REQUIRED.items() if name != missing}

    with pytest.raises(KeyError, match=f"Set {missing}"):
        load_compose(given)


def test_every_secret_of_every_service_comes_from_the_environment() -> None:
    document = COMPOSE.read_text()
    names = re.findall(r"^ *(\w*(?:TOKEN|KEY|PASSWORD|DATABASE_URL)): (.*)$", document, re.MULTILINE)

    assert names
    assert [name for name, value in names if ":?" not in value] == []


def test_a_stopping_worker_may_drain_before_it_is_killed() -> None:
    services = load_compose(REQUIRED)["services"]

    for name in ("web", "worker-fast", "worker-copy"):
        grace_s = int(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace_s > services[name]["environment"]["MODELYARD_DRAIN_S"]


def test_both_queues_have_workers_that_share_one_store_with_the_web_server() -> None:
    services = load_compose(REQUIRED)["services"]
    queues = {services[name]["command"][2] for name in ("worker-fast", "worker-copy")}
    volumes = {tuple(services[name]["volumes"]) for name in ("web", "worker-fast", "worker-copy", "migrate")}

    assert queues == {"fast", "copy"}
    assert volumes == {("store:/var/lib/modelyard",)}


def test_a_token_is_always_required_and_the_schema_is_brought_up_first() -> None:
    services = load_compose(REQUIRED)["services"]

    for name in ("web", "worker-fast", "worker-copy"):
        assert services[name]["environment"]["MODELYARD_AUTH"] == "token"
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert "container_name" not in services[name], "A fixed name cannot be scaled."
