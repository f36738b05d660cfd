"""A registry for the doctor: a web process without a server, a worker that runs when told, and ways to hurt them."""

import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, text

from modelyard.console.doctor import Section, examine
from modelyard.database.clock import now_ms
from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import metadata
from modelyard.registry.health_checks import Finding
from modelyard.settings import Settings
from modelyard.storage.store import blob_name
from tests.web.yards import Yard

_STATEMENT = re.compile(r"(?:UPDATE|INSERT|DELETE|CREATE)[^;]*;")


@dataclass
class Patient:
    """A yard whose settings the doctor is given. It has one worker that reports itself, and READY versions if asked."""

    yard: Yard
    read_bytes: int = 0
    sections: list[Section] = field(default_factory=list)

    def __post_init__(self) -> None:
        row = {"name": "w", "host": "h", "pid": 1, "queues": "fast,copy", "concurrency": 2, "software_version": "1"}
        with transaction(self.yard.engine) as session:
            session.execute(insert(metadata.tables["workers"]).values(**row, seen_at_ms=now_ms()))

    @property
    def settings(self) -> Settings:
        """What the registry was opened with."""
        return self.yard.runtime.settings

    def findings(self, *, deep: bool = False, **changes: Any) -> list[Finding]:
        """Let the doctor look, with these settings changed."""
        settings = self.settings.model_copy(update=changes)
        self.sections = list(examine(settings, deep=deep, on_piece=self._count))
        return [finding for section in self.sections for finding in section.findings]

    def names(self, **options: Any) -> set[str]:
        """Return the names of the checks that found something."""
        return {finding.check for finding in self.findings(**options)}

    def sql(self, statement: str, **values: Any) -> None:
        """Change something by hand."""
        with transaction(self.yard.engine) as session:
            session.execute(text(statement), values)

    def follow(self, finding: Finding) -> None:
        """Run the statements that a finding names as its repair."""
        statements = _STATEMENT.findall(finding.repair)
        assert statements, finding.repair
        for statement in statements:
            self.sql(statement)

    def blobs(self) -> dict[str, str]:
        """Return what lies in the store as content -> name of the file below the store's root."""
        with autocommit(self.yard.engine) as connection:
            rows = connection.execute(select(metadata.tables["blobs"])).all()
        names = [blob_name(row.digest, row.gen) for row in rows]
        return {(self.yard.runtime.store.root / name).read_text(): name for name in names}

    def overwrite(self, name: str, content: bytes | None) -> None:
        """Put other bytes into a file of the store, or remove it."""
        path = self.yard.runtime.store.root / name
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    def _count(self, size_bytes: int) -> None:
        self.read_bytes += size_bytes
