"""What verifications have found damaged, as the doctor tells it."""

from collections.abc import Iterator

from sqlalchemy import Connection

from modelyard.registry.health_checks import Finding
from modelyard.registry.integrity import damaged_versions
from modelyard.rules.counts import counted

_MOST = 1000


def find_damage(connection: Connection) -> Iterator[Finding]:
    """Yield a finding for each version that refers to files which were found missing or changed."""
    for damaged in damaged_versions(connection, limit=_MOST):
        name = f"{damaged.model_name}/{damaged.version}"
        yield Finding(
            "damaged_version",
            f"Version {damaged.version} of {damaged.model_name!r} refers to "
            f"{counted(damaged.blobs, 'stored file')} that a verification found missing or changed.",
            "These files are not handed out, and the version cannot be promoted.",
            f"`modelyard store repair {name}` while its source has the same bytes, or register the same files again.",
        )
