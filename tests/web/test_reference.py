"""The page about the MLflow API says what the route table says, and names tests that exist."""

import re
from pathlib import Path

from modelyard.web.api.routes import FILES, REGISTRY, Route

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/reference/mlflow.md"

ROUTE = re.compile(r"^\| `([A-Z]+) (/\S+)` \|", re.MULTILINE)
NAMED_TEST = re.compile(r"`(\w+/[\w/]+\.py)(?:::(\w+))?`")


def written(routes: list[Route]) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in routes}


def exists(file: str, name: str) -> bool:
    """Whether there is a file of tests, and a test of this name in it if one is named."""
    path = TESTS / file
    return path.exists() and (not name or f"def {name}(" in path.read_text())


def test_the_page_lists_every_route_and_no_other() -> None:
    listed = ROUTE.findall(PAGE.read_text())

    assert len(listed) == len(set(listed))
    assert set(listed) == written(REGISTRY) | written(FILES)


def test_every_row_names_a_test_that_exists() -> None:
    lines = PAGE.read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(("| route", "| point"))]

    unproven = [row for row in rows if not any(exists(*named) for named in NAMED_TEST.findall(row))]

    assert len(rows) > len(REGISTRY)
    assert unproven == []
