"""Plans as people read them: what one would do, the versions that it has looked at, and what came of it.

A plan is what the API answers: its JSON, with every key there. Source: `web/api/plans.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rich.table import Table

from modelyard.console.client import Server
from modelyard.console.job_tables import written_time
from modelyard.console.screens import printable
from modelyard.rules.counts import counted
from modelyard.storage import sizes

PlanDocument: TypeAlias = Mapping[str, Any]

_PAGE = 1000


def plan_sentences(plan: PlanDocument) -> Iterator[str]:
    """Yield what a plan would do, or did, a sentence a line."""
    does = f"{plan['action']} {counted(plan['versions'], 'version')}, {sizes.written(plan['size_bytes'])}"
    kept = f"keep {plan['kept']}"
    yield printable(f"Plan {plan['id']} ({plan['status']}): {does}; {kept}.")
    if plan["freed_bytes"] is not None:
        yield f"Purged, they would free {sizes.written(plan['freed_bytes'])} in the store."
    if plan["left_out"]:
        yield f"{counted(plan['left_out'], 'version')} left out: you may not do this with their models."
    if plan["status_message"]:
        yield printable(plan["status_message"])
    if plan["executed_at_ms"] is not None:
        yield f"{plan['done']} done, {plan['skipped']} skipped, {plan['failed']} failed."
    if plan["status"] == "READY" and plan["versions"]:
        expires = written_time(plan["expires_at_ms"])
        yield f"Until {expires}: modelyard plan execute {plan['id']} --digest {plan['digest']}"


def versions_of(server: Server, plan: PlanDocument, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the versions that a plan has looked at, in its order."""
    token = None
    while True:
        asked = {**query, "max_results": _PAGE, "page_token": token}
        page = server.get(f"/plans/{plan['id']}/versions", asked).document()
        yield from page["versions"]
        token = page.get("next_page_token")
        if token is None:
            return


def versions_table(versions: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row for each version that a plan has looked at."""
    table = _table("VERSION", "SIZE", "ACTION", "OUTCOME", "WHY")
    for version in versions:
        table.add_row(
            printable(f"{version['name']}/{version['version']}"),
            sizes.written(version["size_bytes"]),
            version["action"],
            version["outcome"] or "",
            printable(version["message"]),
        )
    return table


def plans_table(plans: Sequence[PlanDocument]) -> Table:
    """Return a row for each plan, in the order given."""
    table = _table("ID", "MADE", "BY", "ACTION", "VERSIONS", "SIZE", "STATUS", "DONE", "SKIPPED", "FAILED")
    for plan in plans:
        executed = plan["executed_at_ms"] is not None
        table.add_row(
            plan["id"],
            written_time(plan["created_at_ms"]),
            printable(plan["policy"] or plan["created_by"]),
            plan["action"],
            str(plan["versions"]),
            sizes.written(plan["size_bytes"]),
            plan["status"],
            *(str(plan[name]) if executed else "" for name in ("done", "skipped", "failed")),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    right = ("SIZE", "VERSIONS", "DONE", "SKIPPED", "FAILED")
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="right" if heading in right else "left")
    return table
