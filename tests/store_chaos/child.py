"""`python -m tests.store_chaos.child URL FOLDER SEED SECONDS HOW`: one process of a store storm.

HOW is `as-it-is`, or `without-leases`: the control, which must be caught. Prints `ready`, then its deeds as JSON.
"""

import json
import random
import sys
import time
from pathlib import Path

import structlog
from sqlmodel import Session

from modelyard.registry import blobs
from tests.store_chaos.deeds import Deeds
from tests.store_chaos.house import StormHouse


def main(url: str, folder: str, seed: str, seconds: str, how: str) -> None:
    """Do deeds until the time is over."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if how == "without-leases":
        blobs.lease = _no_lease
    deeds = Deeds(StormHouse(url, Path(folder)), random.Random(int(seed)))
    print("ready", flush=True)
    end_s = time.monotonic() + float(seconds)
    while time.monotonic() < end_s:
        deeds.one()
    print(json.dumps(deeds.done))


def _no_lease(session: Session, digests: object, *, job_id: int, attempt: int) -> None:
    """Hold nothing."""


if __name__ == "__main__":
    main(*sys.argv[1:])
