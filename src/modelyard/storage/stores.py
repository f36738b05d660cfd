"""Which kind of managed store lies at an address: a folder of this machine, or one of a bucket; and opening it.

What speaks to buckets is loaded by name, so that nobody pays for it who has none.
"""

from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from modelyard.errors import ConfigurationError, SourceRefused
from modelyard.rules.buckets import BUCKET_SCHEMES, BucketFolder, parse_bucket_folder
from modelyard.storage.identity import Owner
from modelyard.storage.local_store import LocalStore
from modelyard.storage.source_buckets import NO_BUCKETS, SourceBuckets
from modelyard.storage.store import Store
from modelyard.storage.tree import Limits

Place: TypeAlias = Path | BucketFolder


def parse_place(setting: str, text: str, registry_id: str) -> Place:
    """Return where the managed store lies; a bucket without a folder gets one of the registry's own.

    Raises ConfigurationError, which names `setting`.
    """
    url = urlsplit(text)
    if url.scheme in BUCKET_SCHEMES:
        folder = parse_folder(setting, text)
        return folder if folder.path else replace(folder, path=registry_id)
    if url.scheme not in ("", "file") or (url.scheme == "file" and url.netloc):
        raise ConfigurationError(f"{setting} is {text!r}; expected a folder, a file:/// URL or a bucket's address.")
    return Path(url.path if url.scheme == "file" else text).expanduser().absolute()


def parse_folder(setting: str, text: str) -> BucketFolder:
    """Return the folder of a bucket that `text` names. Raises ConfigurationError, which names `setting`."""
    try:
        return parse_bucket_folder(text)
    except SourceRefused as error:
        raise ConfigurationError(f"{setting}: {error.message}") from error


def open_store(place: Place, owner: Owner) -> Store:
    """Open the store at `place` for `owner`, without a look whose it is.

    A bucket is asked for nothing before the first use: its threads would not survive a fork.
    """
    if isinstance(place, BucketFolder):
        return cast(Store, _cloud("store").BucketStore(place, owner))
    return LocalStore(place)


def open_source_buckets(allowed: list[BucketFolder], limits: Limits) -> SourceBuckets:
    """Return the buckets whose folders may be sources; nothing is asked of them yet."""
    return SourceBuckets(allowed, partial(_cloud("tree").BucketTree, limits=limits)) if allowed else NO_BUCKETS


def _cloud(module: str) -> Any:
    try:
        return import_module(f"modelyard.storage.cloud.{module}")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The package {error.name} is missing, which speaks to buckets. Install it: pip install 'modelyard[cloud]'"
        ) from error
