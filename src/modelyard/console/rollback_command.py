"""`modelyard rollback`: a model's previous Production set, over HTTP from any machine."""

from modelyard.console.client import segment
from modelyard.console.connection import connected
from modelyard.console.screens import printable, screen
from modelyard.rules.counts import listed


def run_rollback(name: str, *, yes: bool, comment: str) -> None:
    """Say what a roll back would do, or with `yes` do it."""
    with connected() as server:
        body = {"dry_run": not yes, "comment": comment}
        done = server.post(f"/models/{segment(name)}/rollback", body).document()
    out = screen()
    for move in done["moves"]:
        out.print(printable(f"{name}/{move['version']}: {move['from_stage']} -> {move['to_stage']}"), soft_wrap=True)
    for left in done["left"]:
        out.print(printable(f"{name}/{left['version']}: cannot return: {left['message']}"), soft_wrap=True)
    versions = listed([str(number) for number in done["production"]]) or "no version"
    out.print(f"Production {'is' if yes else 'would be'} {versions}.", soft_wrap=True)
    if not yes:
        out.print("Nothing was changed; --yes does it.")
