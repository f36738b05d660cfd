"""S-09 to S-13: promotion on the version page, with the pointer and with the keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.ui.registry import Registry, path_of
from tests.waiting import wait_until


def open_transition(page: Page, to: str) -> None:
    """Open the stage menu and choose a stage."""
    page.get_by_role("button", name=re.compile("^Stage: ")).click()
    page.get_by_role("menuitem", name=f"Transition to {to}").click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.shows("available-options")
def test_s10_the_stage_button_shows_the_stages_and_my_options(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name, stage="Staging")
    page.goto(path_of(name, number))

    button = page.get_by_role("button", name="Stage: Staging", exact=True)
    button.click()

    options = page.get_by_role("menu", name="Stages").get_by_role("menuitem")
    expect(options).to_have_text(["Transition to None", "Transition to Production", "Transition to Archived"])


@pytest.mark.shows("optional-comment")
def test_s11_a_transition_needs_no_comment(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))

    open_transition(page, "Staging")
    page.get_by_role("button", name="OK").click()

    expect(page.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()
    expect(page.get_by_text(f"Version {number} is in Staging.")).to_be_visible()


@pytest.mark.shows("more-than-one")
def test_s12_several_versions_may_share_a_stage(page: Page, registry: Registry) -> None:
    name = registry.model()
    first = registry.version(name, stage="Production")
    second = registry.version(name)
    page.goto(path_of(name, second))

    open_transition(page, "Production")
    expect(page.get_by_role("checkbox")).not_to_be_checked()
    page.get_by_role("button", name="OK").click()

    expect(page.get_by_role("button", name="Stage: Production", exact=True)).to_be_visible()
    assert registry.stage(name, first) == "Production"


@pytest.mark.shows("only-one")
def test_s13_the_checkbox_archives_the_others_in_the_same_step(page: Page, registry: Registry) -> None:
    name = registry.model()
    others = [registry.version(name, stage="Production") for _ in range(2)]
    number = registry.version(name)
    page.goto(path_of(name, number))

    open_transition(page, "Production")
    page.get_by_role("checkbox", name="Transition existing Production model versions to Archived").check()
    page.get_by_role("button", name="OK").click()

    expect(page.get_by_role("button", name="Stage: Production", exact=True)).to_be_visible()
    assert [registry.stage(name, other) for other in others] == ["Archived", "Archived"]


def test_a_version_is_promoted_with_the_keyboard_alone(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name, stage="Production")
    number = registry.version(name)
    page.goto(path_of(name, number))
    button = page.get_by_role("button", name="Stage: None", exact=True)
    button.focus()

    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Transition to Staging")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Transition to Archived")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Transition to Production")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Comment")).to_be_focused()
    page.keyboard.type("after the hold-out")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="OK")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Stage: Production", exact=True)).to_be_visible()
    assert registry.stage(name, "1") == "Archived"


def test_escape_closes_a_dialog_and_gives_the_focus_back(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))

    open_transition(page, "Staging")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Stage: None", exact=True)).to_be_focused()


def test_a_change_by_somebody_else_appears_without_a_reload(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))

    registry.move(name, number, "Staging")

    expect(page.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()


def test_an_open_menu_stays_open_while_something_changes(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))
    page.get_by_role("button", name="Stage: None", exact=True).click()

    registry.move(name, number, "Staging")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wait_until(lambda: page.wait_for_timeout(250) or True)

    expect(page.get_by_role("menuitem", name="Transition to Staging")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()
