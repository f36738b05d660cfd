"""`python -m tests.store_chaos.child URL FOLDER STORE SEED SECONDS HOW`: one process of a store storm.

STORE is "" for a store below FOLDER, or a bucket's address. HOW is `as-it-is`, or `without-leases`: the control, which
must be caught. Prints `ready`, then its deeds as JSON.
"""

import json
import random
import sys
import time
from pathlib import Path

import structlog
from sqlmodel import Session

from modelyard.registry import blobs
from modelyard.storage.cloud import ingest
from tests.store_chaos.deeds import Deeds
from tests.store_chaos.house import StormHouse


def main(url: str, folder: str, store: str, seed: str, seconds: str, how: str) -> None:
    """Do deeds until the time is over."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if how == "without-leases":
        blobs.lease = _no_lease
    # Larger files take another way into a bucket; the storm's are small.
    ingest.HELD_FILE_BYTES = 8000
    deeds = Deeds(StormHouse(url, Path(folder), store), random.Random(int(seed)))
    print("ready", flush=True)
    end_s = time.monotonic() + float(seconds)
    while time.monotonic() < end_s:
        deeds.one()
    print(json.dumps(deeds.done))


def _no_lease(session: Session, digests: object, *, job_id: int, attempt: int) -> None:
    """Hold nothing."""


if __name__ == "__main__":
    main(*sys.argv[1:])
