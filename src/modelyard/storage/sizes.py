"""Sizes in bytes, written for people."""


def written(size_bytes: int) -> str:
    """Return a size such as "512 bytes" or "1.2 GB", in powers of 1000 as disks are sold."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    amount = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"
