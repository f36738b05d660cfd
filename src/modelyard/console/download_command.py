"""What `modelyard download` says while it works, and how it ends."""

import sys
from pathlib import Path
from threading import Lock

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from modelyard.console.client import ServerAway, ServerFailed
from modelyard.console.connection import connected
from modelyard.console.download import download, list_files
from modelyard.console.download_folder import CannotWrite, DownloadFolder
from modelyard.console.screens import screen
from modelyard.console.targets import parse_version_target
from modelyard.rules.counts import counted
from modelyard.storage import sizes

INTERRUPTED = 130
_GO_ON = "What has arrived is kept: --resume goes on from there."


def run_download(what: str, path: Path, *, resume: bool) -> int:
    """Fetch the version that `what` names into the folder `path`; return the exit status."""
    errors = screen(sys.stderr)
    with connected() as server:
        listing = list_files(server, parse_version_target(what))
        folder = DownloadFolder(path, listing.files, resume=resume)
        bar = Progress(
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        lock = Lock()
        try:
            with bar:
                task = bar.add_task("", total=listing.size_bytes)

                def tell(size_bytes: int) -> None:
                    with lock:
                        bar.advance(task, size_bytes)

                fetched = download(server, listing, folder, resume=resume, on_piece=tell)
        except KeyboardInterrupt:
            errors.print(f"Stopped. {_GO_ON}", soft_wrap=True)
            return INTERRUPTED
        except (ServerAway, ServerFailed, CannotWrite) as error:
            raise type(error)(f"{error.message} {_GO_ON}") from error
        finally:
            folder.close()
    screen().print(
        f"{counted(len(listing.files), 'file')}, {sizes.written(listing.size_bytes)} in {path}; every digest is right"
        f"{'' if fetched == listing.size_bytes else f' ({sizes.written(fetched)} fetched)'}.",
        soft_wrap=True,
    )
    return 0
