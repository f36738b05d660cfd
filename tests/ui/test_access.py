"""WCAG 2.2 AA as axe-core sees it: every page and dialog, in light and dark, on a desk and on a phone."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.ui.registry import Registry, path_of
from tests.ui.views import VIEWS, prepare

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def subject(registry: Registry) -> str:
    """A model with versions in every stage and status."""
    return prepare(registry)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_has_a_barrier(visit: Callable[..., object], subject: str, theme: str, width: int) -> None:
    one = visit(color_scheme=theme, viewport={"width": width, "height": 900})
    page: Page = one.page
    found: dict[str, list[str]] = {}

    for view in VIEWS:
        view.open(page, subject)
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response
        problems = [f"{one['id']}: {one['nodes'][0]['target']}" for one in results["violations"]]
        if problems:
            found[view.name] = problems
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            found.setdefault(view.name, []).append(f"scrolls sideways by {wide} px")

    assert found == {}


def test_text_reflows_at_320_pixels(visit: Callable[..., object], subject: str) -> None:
    page: Page = visit(viewport={"width": 320, "height": 640}).page

    for view in VIEWS:
        view.open(page, subject)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, view.name


def test_controls_are_large_enough_to_be_hit(page: Page, subject: str) -> None:
    for view in VIEWS:
        view.open(page, subject)
        for control in page.locator("button:visible, .button:visible, select:visible, input:visible").all():
            box = control.bounding_box()
            if box and control.get_attribute("type") not in ("checkbox", "radio", "hidden"):
                assert box["height"] >= 24, (
                    f"{view.name}: {box} {control.evaluate('element => element.outerHTML')[:200]}"
                )


def test_reduced_motion_stops_spinners(visit: Callable[..., object], subject: str) -> None:
    page: Page = visit(reduced_motion="reduce").page
    page.goto("/jobs")

    assert page.evaluate("document.getAnimations().length") == 0


def test_the_first_tab_stop_skips_to_the_content(page: Page, subject: str) -> None:
    page.goto(path_of(subject))

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    assert page.evaluate("location.hash") == "#main"
