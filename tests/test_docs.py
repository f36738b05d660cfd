"""The documentation holds together: its links lead somewhere, and what is generated is as generated."""

import re
from pathlib import Path

import pytest

from modelyard.processes.settings_page import settings_page
from tests import manage_models

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
PAGES += [CHECKOUT / "benchmarks" / "README.md"]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def links(page: Path) -> list[str]:
    """Return where the links of a page lead, those of other sites left out; code has none."""
    text = _CODE.sub("", page.read_text())
    return [target for target in _LINK.findall(text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    dead = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            dead.append(link)

    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]

    assert [str(page.relative_to(CHECKOUT)) for page in PAGES if page not in reached] == []


def test_the_reference_of_settings_is_what_the_command_prints() -> None:
    assert (CHECKOUT / "docs" / "settings.md").read_text() == settings_page(), (
        "Run `modelyard settings > docs/settings.md`."
    )


def test_the_page_of_promises_is_what_the_tests_show() -> None:
    assert manage_models.PAGE.read_text() == manage_models.page(), (
        "Run `python -m tests.manage_models > docs/reference/manage-models.md`."
    )


def test_every_promise_is_shown_by_a_test_and_every_mark_names_one() -> None:
    keys = [line.key for line in manage_models.lines() if line.key]

    assert len(keys) == len(set(keys))
    assert set(manage_models.shown()) == set(keys)
