"""S-18 and S-26 to S-28: descriptions, lineage, status, and what Archived means."""

import pytest
from playwright.sync_api import Page, expect

from tests.ui.registry import Registry, path_of
from tests.waiting import wait_until


@pytest.mark.shows("annotate")
@pytest.mark.parametrize("of_version", [False, True])
def test_s18_a_description_is_edited_and_saved(page: Page, registry: Registry, of_version: bool) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number) if of_version else path_of(name))

    page.get_by_role("link", name="Edit the description").click()
    field = page.get_by_role("dialog").get_by_label("Description")
    expect(field).to_be_focused()
    field.fill("**Bold** <script>alert(1)</script>")
    page.get_by_role("button", name="Save").click()

    expect(page.locator(".prose strong")).to_have_text("Bold")
    expect(page.locator(".prose")).to_contain_text("<script>alert(1)</script>")


def test_s18_escape_leaves_a_description_as_it_was_and_the_focus_on_the_icon(page: Page, registry: Registry) -> None:
    name = registry.model(description="as it was")
    page.goto(path_of(name))
    page.get_by_role("link", name="Edit the description").click()
    page.get_by_role("dialog").get_by_label("Description").fill("never saved")

    page.keyboard.press("Escape")

    expect(page.get_by_role("link", name="Edit the description")).to_be_focused()
    expect(page.locator(".prose")).to_have_text("as it was")


def test_s26_the_version_page_shows_which_run_made_it(page: Page, registry: Registry) -> None:
    name = registry.model()
    source = registry.folder()
    link = f"{registry.url}/run"
    number = registry.version(name, source=source, run_id="0f82831aa67a", run_link=link)

    page.goto(path_of(name, number))

    details = page.get_by_role("region", name="Details")
    expect(details.get_by_role("link", name="0f82831aa67a")).to_have_attribute("href", link)
    expect(details).to_contain_text(str(source))
    expect(page.get_by_text("by local")).to_be_visible()


def test_s27_a_status_is_an_icon_and_a_word_and_a_failure_says_why(page: Page, registry: Registry) -> None:
    name = registry.model()
    ready = registry.version(name)
    failed = registry.version(name, source=registry.broken_folder())
    page.goto(path_of(name, ready))
    expect(page.locator("#version-head .state.ready")).to_have_text("Ready")
    expect(page.locator("#version-head .state.ready svg")).to_be_visible()

    page.goto(path_of(name, failed))

    expect(page.locator("#version-head .state.failed")).to_have_text("Registration failed")
    message = str(registry.shown(name, failed)["status_message"])
    assert "symbolic link" in message
    expect(page.get_by_text(message)).to_be_visible()
    expect(page.get_by_role("button", name="Retry registration")).to_be_visible()
    expect(page.get_by_role("button", name="Stage: None", exact=True)).to_be_disabled()


@pytest.mark.shows("archived-is-inactive")
def test_s28_archived_versions_offer_delete_and_are_not_active(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name, stage="Archived")
    registry.version(name, stage="Production")
    page.goto(path_of(name))

    page.get_by_role("button", name="More actions for version 1").click()
    expect(page.get_by_role("menuitem", name="Delete")).to_be_enabled()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Active 1").click()

    versions = page.locator("#versions")
    expect(versions.get_by_role("link", name="Version 2", exact=True)).to_be_visible()
    expect(versions.get_by_role("link", name="Version 1", exact=True)).to_have_count(0)


def test_the_second_editor_sees_what_the_first_one_saved(page: Page, registry: Registry) -> None:
    name = registry.model(description="the oldest")
    page.goto(path_of(name))
    page.get_by_role("link", name="Edit the description").click()
    field = page.get_by_role("dialog").get_by_label("Description")
    field.fill("mine")
    registry.system.call("PATCH", "registered-models/update", {"name": name, "description": "theirs"})

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("dialog").get_by_text("theirs", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog").get_by_label("Description")).to_have_value("mine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".prose")).to_have_text("mine")


def test_a_live_registration_shows_its_progress_and_becomes_ready_without_a_reload(
    page: Page, registry: Registry
) -> None:
    with registry.held_copy() as name:
        page.goto(path_of(name, "1"))

        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.locator("#version-head .state.pending")).to_have_text("Pending registration")
    expect(page.locator("#version-head .state.ready").first).to_have_text("Ready", timeout=180_000)
    expect(page.get_by_role("link", name="weights.bin", exact=True)).to_be_visible()
    expect(page.locator("#said")).to_have_text("Version 1 is ready")
    assert wait_until(lambda: registry.status(name, "1") == "READY")
