"""Pages that look after themselves: while work goes on, while nothing does, while the server is away."""

import os
import signal
from collections.abc import Callable

from playwright.sync_api import Page, Response, expect

from tests.ui.conftest import Visit
from tests.ui.registry import Registry, path_of
from tests.waiting import wait_until


def polled(page: Page) -> list[int]:
    """Note the status of every fragment that a page asks for from now on."""
    found: list[int] = []

    def note(response: Response) -> None:
        if "/ui/" in response.url:
            found.append(response.status)

    page.on("response", note)
    return found


def test_nothing_is_sent_again_while_nothing_has_changed(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))

    found = polled(page)
    wait_until(lambda: page.wait_for_timeout(200) or len(found) >= 2, within_s=20, what="two polls")

    assert set(found) == {204}


def test_a_page_asks_no_more_once_its_job_is_over(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name)
    page.goto("/jobs/1")

    found = polled(page)
    page.wait_for_timeout(6500)

    assert found == []


def test_what_was_ticked_is_ticked_in_the_renewed_table(page: Page, registry: Registry) -> None:
    name = registry.model()
    registry.version(name)
    page.goto(path_of(name))
    page.locator("#tick-1").check()
    # While the box has the focus the table waits.
    page.locator("h1").click()

    registry.version(name)

    expect(page.locator("#v-2")).to_be_visible(timeout=60_000)
    expect(page.locator("#tick-1")).to_be_checked()
    expect(page.locator("#tick-2")).not_to_be_checked()


def test_the_focus_stays_where_it_is_while_a_region_is_renewed(page: Page, registry: Registry) -> None:
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))
    page.locator("#compare").focus()

    registry.move(name, number, "Staging")

    expect(page.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible()
    expect(page.locator("#compare")).to_be_focused()


def test_a_running_job_is_watched_and_cancelled(page: Page, registry: Registry) -> None:
    with registry.held_copy():
        page.goto("/jobs?status=running")
        page.get_by_role("link", name="Copy artifacts").first.click()
        expect(page.get_by_role("progressbar")).to_be_visible()

        page.get_by_role("button", name="Cancel job").click()

        expect(page.locator("#job .state").first).to_have_text("Cancelling")
    expect(page.locator("#job .state").first).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_a_worker_that_is_killed_in_the_middle_of_a_copy_is_only_a_pause(page: Page, registry: Registry) -> None:
    with registry.held_copy() as name:
        page.goto(path_of(name, "1"))
        expect(page.get_by_role("progressbar")).to_be_visible()

        for worker in registry.native("GET", "/api/v1/workers")["workers"]:
            os.kill(worker["pid"], signal.SIGKILL)

    expect(page.locator("#version-head .state.ready").first).to_have_text("Ready", timeout=180_000)


def test_a_server_that_restarts_is_waited_for(visit: Callable[..., Visit], registry: Registry) -> None:
    page = visit(quiet=False).page
    name = registry.model()
    number = registry.version(name)
    page.goto(path_of(name, number))
    expect(page.locator(".live").first).to_have_text("Live")

    registry.system.stop()
    expect(page.locator(".live").first).to_have_text("Reconnecting", timeout=90_000)
    registry.system.start()
    registry.move(name, number, "Staging")

    expect(page.get_by_role("button", name="Stage: Staging", exact=True)).to_be_visible(timeout=120_000)
    expect(page.locator(".live").first).to_have_text("Live")


def test_updates_can_be_paused(page: Page, registry: Registry) -> None:
    page.goto("/jobs")
    page.get_by_role("button", name="Pause updates").click()
    expect(page.locator(".live").first).to_have_text("Paused")

    found = polled(page)
    page.wait_for_timeout(6000)

    assert found == []
    page.get_by_role("button", name="Resume updates").click()
    expect(page.locator(".live").first).to_have_text("Live")
