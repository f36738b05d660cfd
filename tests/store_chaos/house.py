"""What the processes of a store storm share: one database, one store, folders to register, and a worker's parts."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from modelyard.database.engine import create_engine
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.registry import job_effects
from modelyard.storage.identity import Owner
from modelyard.storage.roots import SourceRoots
from modelyard.storage.stores import open_store, parse_place
from modelyard.storage.tree import Limits
from modelyard.worker.context import Context
from modelyard.worker.drain import DrainFlag

OWNER = Owner("storm", "database")
MODELS = ("m0", "m1", "m2")
FOLDERS = 12
LEASE_MS = 1000
DAY_MS = 24 * 3600 * 1000


@dataclass
class StormHouse:
    """One process's way into the storm's rooms below `folder`; nothing that is collected has any grace.

    `store_url` is where the store lies: below `folder` by default, or in a bucket.
    """

    url: str
    folder: Path
    store_url: str = ""
    engine: Engine = field(init=False)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url)
        place = parse_place("the store", self.store_url or str(self.folder / "store"), OWNER.registry_id)
        self.store = open_store(place, OWNER)
        self.store.create_or_check(OWNER)
        queue = JobQueue(attempts=50)
        self.lifecycle = Lifecycle(
            self.engine, queue, job_effects.apply, LEASE_MS, retry_effects=job_effects.apply_retry
        )
        self.context = Context(
            engine=self.engine,
            lifecycle=self.lifecycle,
            store=self.store,
            roots=SourceRoots([self.folder / "sources"], place if isinstance(place, Path) else None),
            tracking=None,
            limits=Limits(),
            drain=DrainFlag(),
            stall_s=60,
            trust_ms=DAY_MS,
            owner=OWNER,
            grace_ms=0,
        )

    def close(self) -> None:
        """Give back connections and descriptors."""
        self.store.close()
        self.engine.dispose()


def write_sources(folder: Path) -> None:
    """Write the folders that are registered again and again; they share most of their files."""
    contents = [random.Random(number).randbytes(200 + 4000 * (number % 4)) for number in range(8)]
    for number in range(FOLDERS):
        source = folder / "sources" / f"s{number}"
        source.mkdir(parents=True)
        (source / "MLmodel").write_text("flavors: {}\n")
        for place, content in enumerate(random.Random(number).sample(contents, 4)):
            (source / f"file {place}").write_bytes(content)
