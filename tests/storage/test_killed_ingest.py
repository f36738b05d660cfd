"""A process killed with -9 in the middle of a copy leaves whole blobs or none, and the next one finishes the work."""

import hashlib
import random
import signal
import subprocess
import sys

import pytest

from modelyard.storage.copying import copy_tree
from modelyard.storage.local_store import LocalStore

# The process kills itself at the n-th event of a kind, so that each step of the protocol is met, and met exactly.
COPY = """
import os, signal, sys, threading
from pathlib import Path
from modelyard.storage import local_ingest as protocol
from modelyard.storage.copying import copy_tree
from modelyard.storage.store import BlobPlacement
from modelyard.storage.local_tree import LocalTree
from modelyard.storage.local_store import LocalStore
from modelyard.storage.tree import Limits

_, root, folder, fatal, left = sys.argv
left = int(left)
lock = threading.Lock()

def meet(event, arguments=()):
    global left
    if event == fatal:
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

class Ledger:
    def record(self, batch):
        meet("record")
        return {file.digest: BlobPlacement(0) for file in batch}
    def proven(self, digests):
        pass

protocol.BATCH_FILES = 20
store = LocalStore(Path(root))
tree = LocalTree(os.open(folder, os.O_RDONLY), "the model", Limits())
with store.ingest(1, 1) as ingest:
    sys.addaudithook(meet)
    copy_tree(tree, ingest, known={}, ledger=Ledger(), pulse=lambda progress: meet("pulse"))
"""


@pytest.fixture
def many_files(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "MLmodel").write_text("x")
    for number in range(100):
        (folder / f"file {number}").write_bytes(random.Random(number).randbytes(5000))
    (folder / "large").write_bytes(random.Random(0).randbytes(3 << 20))
    return folder


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ("open", 30),
        ("open", 120),
        ("os.rename", 7),
        ("record", 2),
        ("os.mkdir", 1),
        ("os.link", 1),
        ("os.link", 41),
        ("os.remove", 1),
        ("os.remove", 60),
    ],
)
def test_a_killed_copy_leaves_no_partial_blob_and_is_finished_by_the_next(
    tmp_path, many_files, open_tree, ledger, event, number
):
    store = LocalStore(tmp_path / "store")
    arguments = [sys.executable, "-c", COPY, str(store.root), str(many_files), event, str(number)]

    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL

    for path in (path for path in (store.root / "blobs").rglob("*") if path.is_file()):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    [left] = store.list_staging()
    store.remove_staging(left.name)
    with store.ingest(1, 2) as ingest:
        copied = copy_tree(open_tree(many_files), ingest, known={}, ledger=ledger, pulse=lambda _progress: None)
    store.check_present(copied.blobs)
    assert len(copied.files) == 102
    store.close()
