"""What the doctor found, as people and as programs read it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from modelyard.console.doctor import MOST_FINDINGS, Section, examine
from modelyard.console.screens import screen
from modelyard.settings import Settings
from modelyard.storage import sizes

# Of one check; the rest is counted, and all are in the JSON.
_SHOWN = 10
_NAME_WIDTH = 14


def run_doctor(settings: Settings, *, deep: bool, as_json: bool) -> int:
    """Examine the registry of `settings` and print what is found; return 0 when nothing is, else 1."""
    out, sections = screen(), []
    with _told_bytes() as on_piece:
        for section in examine(settings, deep=deep, on_piece=on_piece):
            sections.append(section)
            if not as_json:
                print_section(out, section)
    if as_json:
        print(json.dumps(as_document(sections), indent=2))
    else:
        out.print(summary(sections))
    return 1 if any(section.findings for section in sections) else 0


@contextmanager
def _told_bytes() -> Iterator[Callable[[int], None]]:
    """Say on a terminal how many bytes were read so far: a deep look takes as long as the disk needs."""
    errors, read_bytes = screen(sys.stderr), 0
    with errors.status("") as status:

        def on_piece(size_bytes: int) -> None:
            nonlocal read_bytes
            read_bytes += size_bytes
            status.update(f"read {sizes.written(read_bytes)}")

        yield on_piece


def print_section(screen: Console, section: Section) -> None:
    """Print one section: a line when all is well, else each finding with what follows and what repairs it."""
    if section.skipped:
        screen.print(_headline("-", "yellow", section.name, f"not checked: {section.skipped}"))
        return
    if not section.findings:
        screen.print(_headline("✓", "green", section.name, section.about))
        return
    screen.print(_headline("✗", "bold red", section.name, section.about))
    for check in dict.fromkeys(finding.check for finding in section.findings):
        _print_check(screen, section, check)


def _print_check(screen: Console, section: Section, check: str) -> None:
    findings = [finding for finding in section.findings if finding.check == check]
    screen.print()
    _print_line(screen, f"  {check}: {findings[0].why}", "bold")
    for finding in findings[:_SHOWN]:
        _print_line(screen, f"    {finding.found}")
        _print_line(screen, f"      repair: {finding.repair}", "cyan")
    if len(findings) > _SHOWN:
        _print_line(screen, f"    and {len(findings) - _SHOWN} more; --json shows them all", "dim")
    screen.print()


def _headline(mark: str, style: str, name: str, about: str) -> Text:
    return Text.assemble((f"{mark} ", style), (f"{name:<{_NAME_WIDTH}}", "bold"), about)


def _print_line(screen: Console, line: str, style: str = "") -> None:
    # Left to the terminal to break, so that a statement can be copied whole.
    screen.print(Text(line, style), soft_wrap=True)


def summary(sections: list[Section]) -> str:
    """Return the last line: how much is wrong."""
    findings = sum(len(section.findings) for section in sections)
    skipped = [section.name for section in sections if section.skipped]
    unseen = f" Not checked: {', '.join(skipped)}." if skipped else ""
    if not findings:
        return f"Nothing is wrong.{unseen}"
    cut = any(len(section.findings) == MOST_FINDINGS for section in sections)
    return f"{'At least ' if cut else ''}{findings} {'problem' if findings == 1 else 'problems'} found.{unseen}"


def as_document(sections: list[Section]) -> dict[str, Any]:
    """Return everything as JSON shows it."""
    return {
        "clean": not any(section.findings for section in sections),
        "sections": [
            {
                "name": section.name,
                "checked": not section.skipped,
                "reason": section.skipped or None,
                "findings": [
                    {"check": finding.check, "found": finding.found, "why": finding.why, "repair": finding.repair}
                    for finding in section.findings
                ],
            }
            for section in sections
        ],
    }
