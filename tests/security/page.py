"""docs/security.md, written from the table of attacks: `python -m tests.security.page > docs/security.md`."""

from itertools import groupby

from tests.security.attacks import ATTACKS, Attack

HEAD = """\
# Security: what hostile input gets

Whoever registers a model names a place, and a worker reads it with rights that the user may not have. So a source is
checked twice: its text when it is asked for (400, nothing is stored), its bytes when the worker reads them (the version
becomes FAILED_REGISTRATION, with the reason). Nothing is read that the operator did not allow: no folder outside of
MODELYARD_SOURCE_ROOTS, no bucket outside of MODELYARD_SOURCE_BUCKETS, no server but that of MODELYARD_TRACKING_URI.
No model is loaded, no archive unpacked, no link followed, no address resolved that an answer names.

This page is written from `tests/security/attacks.py`, and each row is a test that runs on SQLite and on PostgreSQL.
"""


def written() -> str:
    """Return the page."""
    parts = [HEAD]
    for section, attacks in groupby(ATTACKS, key=lambda attack: attack.section):
        parts.append(f"\n## {section}\n\n| what arrives | gets | in words |\n|---|---|---|\n")
        parts += [_row(attack) for attack in attacks]
    return "".join(parts)


def _row(attack: Attack) -> str:
    words = attack.answer.replace("|", "\\|")
    return f"| {attack.what} | {attack.status} | {f'… {words} …' if words else ''} |\n"


if __name__ == "__main__":
    print(written(), end="")
