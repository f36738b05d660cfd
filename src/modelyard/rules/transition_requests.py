"""Transition requests: how they end. No I/O.

Source: contracts/databricks.md 2.3.
"""

from enum import StrEnum


class RequestStatus(StrEnum):
    """Where a request stands. Whatever closes it leaves an activity."""

    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
