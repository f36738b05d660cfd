"""Whether the page of jobs stays smooth in a real Chromium while 500 jobs move each second and somebody scrolls it.

People see a frame that takes longer than 50 ms; a long task is what the browser calls 50 ms of work in which it answers
nobody. Half the time nothing moves, for comparison: what the machine cannot do then, no page is to blame for.
"""

import argparse
import shutil
import time
from typing import Any

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine

from benchmarks.archival import DATABASES, house
from benchmarks.figures import percentile, print_rows
from benchmarks.pages import JOBS, fill, move_jobs
from tests.ui.conftest import BROWSERS, FLAGS

SECONDS = 20.0
LONG_MS = 50
# The most that the page shows at once.
PATH = "/jobs?size=100"
WATCH = """() => {
  const seen = window.seen = {gaps: [], long: [], last: performance.now()};
  const frame = (now) => { seen.gaps.push(now - seen.last); seen.last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => seen.long.push(entry.duration)))
    .observe({type: "longtask"});
}"""


def main() -> None:
    """Watch the page on each database that was asked for, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smoothness", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append", help="only these (both)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"how long each time ({SECONDS:.0f})")
    asked = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        parser.exit(
            1, "No Chromium was found on PATH. Install the package `chromium` (Debian: apt install chromium).\n"
        )
    header = ["database", "jobs", "renewals", "frames/s", "p50 / p95 / p99 / longest ms", "over 50 ms", "long tasks"]
    rows = []
    for database in asked.database or DATABASES:
        with house(database, fill) as (system, engine), sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=browser, args=list(FLAGS))
            page = chromium.new_page(viewport={"width": 1440, "height": 900})
            for moving in (False, True):
                page.goto(system.url + PATH)
                rows.append([database, *_watched(page, engine, asked.seconds, moving=moving)])
            chromium.close()
    print_rows(f"{PATH} while somebody scrolls, {asked.seconds:.0f} s each", header, rows)


def _watched(page: Page, engine: Engine, seconds: float, *, moving: bool) -> list[str]:
    """Scroll for so long, and return what the browser counted meanwhile."""
    renewals: list[int] = []
    page.on("response", lambda answer: renewals.append(answer.status) if "/ui/jobs" in answer.url else None)
    page.mouse.move(700, 500)
    page.evaluate(WATCH)
    began_s, step = time.monotonic(), 0
    moved_s = began_s
    while (now_s := time.monotonic()) < began_s + seconds:
        if moving and now_s >= moved_s:
            move_jobs(engine)
            moved_s += 1
        step += 1
        page.mouse.wheel(0, 120 if step // 40 % 2 else -120)
        page.wait_for_timeout(50)
    seen: dict[str, Any] = page.evaluate("() => window.seen")
    gaps = [float(gap) for gap in seen["gaps"][1:]]
    spread = [*(percentile(gaps, share) for share in (0.5, 0.95, 0.99)), max(gaps)]
    return [
        f"{JOBS} moving" if moving else "still",
        str(renewals.count(200)),
        f"{len(gaps) / seconds:.0f}",
        " / ".join(f"{gap:.0f}" for gap in spread),
        str(sum(gap > LONG_MS for gap in gaps)),
        f"{len(seen['long'])}, {sum(seen['long']):.0f} ms",
    ]


if __name__ == "__main__":
    main()
