"""Numbers of things, written for people. No I/O."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 file" or "12 files"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: list[str], *, most: int = 10) -> str:
    """Return names parted by commas, those beyond `most` only counted: "a, b and 3 more"."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
