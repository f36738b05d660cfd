"""Hostile input, one entry each: what arrives, and what it gets. docs/security.md is written from this table.

`answer` begins the words that the reader of the answer sees, or stands within them.
"""

import os
import socket
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelyard.web import signing
from modelyard.web.signing import FileLink
from tests.security.scene import CONTENT, Outcome, Scene
from tests.storage.cloud.faulty_proxy import Exchange
from tests.storage.far_server import PROXY, as_json
from tests.web.yards import UPLOADS

FAILED = "FAILED_REGISTRATION"
BUCKETS = "A bucket whose server lies"
ROOTS = "outside of the folders that may be registered here"


@dataclass(frozen=True)
class Attack:
    """`status` is that of the HTTP answer, or of the version after the worker looked at its files."""

    section: str
    what: str
    status: str
    answer: str
    act: Callable[[Scene], Outcome]


def _texts() -> Iterable[Attack]:
    section = "The text of a source"
    spellings = [
        ("`..` in a path", "{sources}/../outside", "'..'"),
        ("`..` behind backslashes", "{sources}\\..\\outside", "a backslash"),
        ("`..` percent-encoded", "{sources}/%2e%2e/outside", "'..'"),
        ("`..` percent-encoded twice", "{sources}/%252e%252e/outside", "'..'"),
        ("a slash percent-encoded", "{sources}/..%2foutside", "'..'"),
        ("`..;`, which some servers cut", "{sources}/..;/outside", "a semicolon"),
        ("a NUL", "{sources}/model\0", "holds a NUL character"),
        ("a NUL percent-encoded", "{sources}/model%00", "'..' or a NUL"),
        ("a line end", "{sources}/model\nx", "a control character"),
        ("a blank at the end", "{sources}/model ", "begins or ends with a blank"),
        ("a query", "file://{sources}/model?x=1", "a query"),
        ("a fragment", "file://{sources}/model#x", "a fragment"),
        ("a host where none belongs", "file://host{sources}/model", "names a host where none belongs"),
        ("a share", "//host/share", "names a host where none belongs"),
        ("a relative path", "sources/model", "is relative"),
        ("a folder outside of the roots", "{outside}", ROOTS),
        ("a folder whose name begins like a root's", "{sources}-old/model", ROOTS),
        ("the managed store", "{store}", ROOTS),
        ("a file of the system", "/etc/passwd", ROOTS),
        ("an unknown scheme", "gopher://host/model", "Unknown kind of source"),
        ("a metadata address", "http://169.254.169.254/latest/meta-data", "http: sources are not enabled"),
        ("a password in an address", "s3://key:secret@models/x", "no name of a bucket"),
        ("a bucket that is not on the list", "s3://private/model", "outside of the buckets that may be registered"),
        ("a folder beside the listed one", "{bucket}-old/model", "outside of the buckets that may be registered"),
        ("`..` in a bucket", "{bucket}/../x", "'..'"),
        ("a doubled slash in a bucket", "{bucket}//x", "holds an empty part"),
        ("a whole upload area", "dbfs:/databricks/mlflow/tmp-external-source/", "Of dbfs:/ only folders below"),
        ("`..` in the upload area", "dbfs:/databricks/mlflow/tmp-external-source/x/../y", "'..'"),
        ("somebody else's model", "models:/other/1", "Registered Model with name=other not found"),
        ("3,000 characters", "/" + "a" * 3000, "at most 2048"),
    ]
    for what, text, answer in spellings:
        yield Attack(section, what, "400", answer, lambda scene, text=text: scene.register(written(scene, text)))


def written(scene: Scene, text: str) -> str:
    """Return `text` with the places of a scene filled in."""
    store = scene.yard.runtime.settings.store
    return text.format(sources=scene.sources, outside=scene.outside, store=store, bucket=scene.bucket)


def _files() -> Iterable[Attack]:
    section = "A folder below a source root"
    linked = "is a symbolic link"
    yield Attack(section, "a link in the place of a file", FAILED, linked, link_file)
    yield Attack(section, "a link in the place of a folder", FAILED, linked, link_folder)
    yield Attack(section, "a link in the place of the model", FAILED, "reached through a symbolic link", link_model)
    yield Attack(section, "a link above the model", FAILED, "reached through a symbolic link", link_above)
    yield Attack(section, "a file replaced by a link after it was listed", FAILED, "symbolic link", swap_file)
    yield Attack(section, "a folder replaced by a link after it was listed", FAILED, "symbolic link", swap_folder)
    yield Attack(section, "a file replaced by a fifo after it was listed", FAILED, "is a fifo", swap_fifo)
    yield Attack(section, "a file that grows while it is copied", FAILED, "changed while it was copied", grow)
    yield Attack(section, "a file written anew with its old times", FAILED, "changed while it was copied", rewrite)
    yield Attack(section, "a fifo", FAILED, "is a fifo", lambda scene: strange(scene, os.mkfifo))
    yield Attack(section, "a socket", FAILED, "is a socket", lambda scene: strange(scene, make_socket))
    yield Attack(section, "a device", FAILED, "is a device", lambda scene: strange(scene, make_device))
    yield Attack(section, "a sparse file of 8 TiB", FAILED, "has 8.8 TB; at most 1.1 TB are allowed", sparse)
    yield Attack(section, "one file more than allowed (1,001 of 1,000)", FAILED, "more than 1000 files", many)
    yield Attack(section, "2,000 levels of folders", FAILED, "lies deeper than 64 folders", deep)
    yield Attack(section, "a name that is not UTF-8", FAILED, "is not UTF-8", bad_name)
    yield Attack(section, "names with a line end, a backslash, `..%2f`", "READY", "", odd_names)
    yield Attack(section, "an `MLmodel` that is a YAML bomb: nobody parses it", "READY", "", bomb)


def link_file(scene: Scene) -> Outcome:
    (scene.model / "link").symlink_to(scene.outside / "MLmodel")
    return scene.register(scene.model)


def link_folder(scene: Scene) -> Outcome:
    (scene.model / "link").symlink_to(scene.outside)
    return scene.register(scene.model)


def link_model(scene: Scene) -> Outcome:
    (scene.sources / "link").symlink_to(scene.outside)
    return scene.register(scene.sources / "link")


def link_above(scene: Scene) -> Outcome:
    (scene.sources / "link").symlink_to(scene.folder)
    return scene.register(scene.sources / "link" / "outside")


def swap_file(scene: Scene) -> Outcome:
    scene.after_listing(lambda: scene.swap(scene.model / "MLmodel", scene.outside / "MLmodel"))
    return scene.register(scene.model)


def swap_folder(scene: Scene) -> Outcome:
    scene.after_listing(lambda: scene.swap(scene.model / "data", scene.outside))
    return scene.register(scene.model)


def swap_fifo(scene: Scene) -> Outcome:
    def change() -> None:
        (scene.model / "MLmodel").unlink()
        os.mkfifo(scene.model / "MLmodel")

    scene.after_listing(change)
    return scene.register(scene.model)


def grow(scene: Scene) -> Outcome:
    def change() -> None:
        with (scene.model / "data" / "weights").open("ab") as file:
            file.write(b"more")

    scene.after_listing(change)
    return scene.register(scene.model)


def rewrite(scene: Scene) -> Outcome:
    path = scene.model / "data" / "weights"
    seen = path.stat()

    def change() -> None:
        path.write_bytes(CONTENT[::-1])
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    scene.after_listing(change)
    return scene.register(scene.model)


def strange(scene: Scene, make: Callable[[str], object]) -> Outcome:
    here = os.getcwd()
    os.chdir(scene.model)  # A socket's path has at most 107 characters.
    make("strange")
    os.chdir(here)
    return scene.register(scene.model)


def make_socket(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)


def make_device(name: str) -> None:
    # That of number 0, which opens nothing, is the one that Linux lets everybody make.
    os.mknod(name, stat.S_IFCHR, os.makedev(0, 0))


def sparse(scene: Scene) -> Outcome:
    (scene.model / "sparse").touch()
    os.truncate(scene.model / "sparse", 8 << 40)
    return scene.register(scene.model)


def many(scene: Scene) -> Outcome:
    for number in range(999):
        (scene.model / f"{number}").touch()
    return scene.register(scene.model)


def deep(scene: Scene) -> Outcome:
    here = os.open(scene.model, os.O_RDONLY)
    for _ in range(2_000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    return scene.register(scene.model)


def bad_name(scene: Scene) -> Outcome:
    with open(os.fsencode(scene.model) + b"/\xff", "wb"):
        pass
    return scene.register(scene.model)


def odd_names(scene: Scene) -> Outcome:
    for name in ("a\nb", "a\\b", "..%2fx"):
        (scene.model / name).write_text("x")
    return scene.register(scene.model)


def bomb(scene: Scene) -> Outcome:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (scene.model / "MLmodel").write_text("\n".join(lines))
    return scene.register(scene.model)


def _tracking() -> Iterable[Attack]:
    section = "A tracking server that lies"
    listing, model = f"{PROXY}?path=1/model", f"{PROXY}/1/model/MLmodel"
    file = {"path": "MLmodel", "is_dir": False, "file_size": 12}

    def lie(what: str, status: str, answer: str, **lies: object) -> Attack:
        def act(scene: Scene) -> Outcome:
            scene.far.lies |= {listing if at == "listing" else model: value for at, value in lies.items()}  # type: ignore[misc]
            return scene.register_tracked()

        return Attack(section, what, status, answer, act)

    def listed(*entries: object) -> object:
        return as_json({"files": entries})

    yield lie("`..` in a listing", FAILED, "which is no file name", listing=listed({**file, "path": ".."}))
    yield lie("a path in a listing", FAILED, "which is no file name", listing=listed({**file, "path": "../x"}))
    yield lie("an absolute path in a listing", FAILED, "which is no file name", listing=listed({"path": "/etc/passwd"}))
    yield lie("one name twice", FAILED, "lists 'MLmodel' twice", listing=listed(file, file))
    yield lie("a negative size", FAILED, "the size '-1'", listing=listed({**file, "file_size": -1}))
    yield lie("1,001 files", FAILED, "more than 1000 files", listing=listed(*({"path": str(n)} for n in range(1001))))
    yield Attack(section, "folders in each other without end", FAILED, "lies deeper than 64 folders", cycle)
    yield lie("fewer bytes than listed", FAILED, "was listed with 12 bytes", file=(200, {}, b"flavors"))
    yield lie("more bytes than listed", FAILED, "was listed with 12 bytes", file=(200, {}, b"x" * 13))
    endless = {"Content-Length": "", "Connection": "close"}
    yield lie("a body without end", FAILED, "sends more", file=(200, endless, b"x" * (1 << 20)))
    yield lie("a listing without end", FAILED, "more than", listing=(200, endless, b"[" * (33 << 20)))
    metadata = {"Location": "http://169.254.169.254/latest/meta-data"}
    yield lie(
        "a redirect to a metadata address", FAILED, "redirect (302), which is not followed", file=(302, metadata, b"")
    )
    bomb_headers = {"Content-Encoding": "gzip"}
    yield lie("a gzip bomb", FAILED, "the encoding 'gzip', unasked", file=(200, bomb_headers, b"\x1f\x8b"))
    yield lie("JSON that is no object", FAILED, "is no JSON object", listing=(200, {}, b"[]"))
    places = [
        ("a logged model on another host", "http://169.254.169.254/x", "another host, '169.254.169.254'"),
        ("one on a host that may mean another address soon", "http://rebind.example/x", "another host"),
        ("one behind another path of its host", "{far}/internal/x", "not that of the server's artifact proxy"),
        ("one outside of the source roots", "{outside}", "below none of the worker's source roots"),
        ("one in a bucket that is not on the list", "s3://private/x", "none of the worker's source buckets"),
        ("one behind `..`", "mlflow-artifacts:/1/../secret", "'..'"),
    ]
    for what, uri, answer in places:
        yield Attack(
            section,
            what,
            FAILED,
            answer,
            lambda scene, uri=uri: scene.register_logged(uri.format(far=scene.far.url, outside=scene.outside)),
        )


def cycle(scene: Scene) -> Outcome:
    real = scene.far.answer

    def answer(target: str) -> object:
        asked = target.partition("?path=")[2]
        return as_json({"files": [{"path": "again", "is_dir": True}]}) if asked else real(target)

    scene.far.answer = answer  # type: ignore[method-assign, assignment]
    return scene.register_tracked()


def _buckets() -> Iterable[Attack]:
    section = BUCKETS

    def relist(what: str, answer: str, key: str) -> Attack:
        def act(scene: Scene) -> Outcome:
            def lie(exchange: Exchange) -> None:
                old = f"{scene.bucket.path}/data/weights".encode()
                exchange.content = exchange.content.replace(old, key.format(folder=scene.bucket.path).encode())
                exchange.headers["Content-Length"] = str(len(exchange.content))

            scene.line.spoil("GET", "list-type", after=lie)
            return scene.register_bucket()

        return Attack(section, what, FAILED, answer, act)

    yield relist("a key outside of the folder", "which is no file of it", "other/secret")
    yield relist("a key beside the folder", "which is no file of it", "{folder}-old/secret")
    yield relist("the folder itself as a file", "which is no file of it", "{folder}")
    yield Attack(
        section, "an object that changes after it was listed", FAILED, "changed while it was copied", change_object
    )
    yield Attack(section, "another object under the same tag", FAILED, "changed while it was copied", shorter_object)


def change_object(scene: Scene) -> Outcome:
    def lie(exchange: Exchange) -> None:
        exchange.status, exchange.content = 412, b""
        exchange.headers = {"Content-Length": "0"}

    scene.line.spoil("GET", "data/weights", after=lie)
    return scene.register_bucket()


def shorter_object(scene: Scene) -> Outcome:
    def lie(exchange: Exchange) -> None:
        wrong = len(CONTENT) - 5
        exchange.content = exchange.content.replace(
            f"<Size>{len(CONTENT)}</Size>".encode(), f"<Size>{wrong}</Size>".encode()
        )
        exchange.headers["Content-Length"] = str(len(exchange.content))

    def cut(exchange: Exchange) -> None:
        exchange.status, exchange.content = 412, b""
        exchange.headers = {"Content-Length": "0"}

    scene.line.spoil("GET", "list-type", after=lie)
    scene.line.spoil("GET", "data/weights", after=cut)
    return scene.register_bucket()


def _uploads() -> Iterable[Attack]:
    section = "An upload"

    def post(path: str, body: bytes, **environ: str) -> Callable[[Scene], Outcome]:
        overrides = {"wsgi.input_terminated": True, **environ}
        return lambda scene: scene.ask("POST", f"/dbfs{UPLOADS}/{path}", data=body, environ_overrides=overrides)

    cut = post("/id/model/MLmodel", b"short", CONTENT_LENGTH="100")
    yield Attack(section, "a body shorter than announced", "400", "100 were announced", cut)
    yield Attack(section, "a body above the limit", "413", "too large", post("/id/m", b"x" * 5000))
    yield Attack(section, "`..` in its path", "400", "'..'", post("/id/../../x", b"x"))
    yield Attack(section, "`..` percent-encoded in its path", "400", "'..'", post("/id/%2e%2e/x", b"x"))


def _downloads() -> Iterable[Attack]:
    section = "A download"
    for what, path in [
        ("`..`", "/../MLmodel"),
        ("`..` percent-encoded", "/data/%2e%2e/MLmodel"),
        ("`..` percent-encoded twice", "/data/%252e%252e/MLmodel"),
        ("`..` behind backslashes", "/data\\..\\MLmodel"),
        ("an absolute path", "//etc/passwd"),
        ("a NUL", "/MLmodel%00"),
    ]:
        yield Attack(section, what, "400", "Invalid path", lambda scene, path=path: scene.get(scene.ready() + path))
    unknown = f"/api/2.0/mlflow-artifacts/artifacts/versions/{'0' * 32}/MLmodel"
    yield Attack(
        section, "a version that is not there", "404", "no such model version", lambda scene: scene.get(unknown)
    )
    fixed = "never change"
    for method in ("PUT", "DELETE"):
        yield Attack(
            section,
            f"{method} of a file",
            "403",
            fixed,
            lambda scene, m=method: scene.ask(m, scene.ready() + "/MLmodel"),
        )
    yield Attack(section, "HTML of a model, to run as a page of ours", "200", "attachment", page)


def page(scene: Scene) -> Outcome:
    (scene.model / "evil.html").write_text("<script>")
    answer = scene.yard.send("GET", scene.ready() + "/evil.html")
    told = f"{answer.headers['Content-Disposition']} {answer.headers['Content-Type']}"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    return Outcome(str(answer.status_code), told)


def _links() -> Iterable[Attack]:
    section = "A signed link"
    ended = "This link is not valid, or not any more"
    yield Attack(
        section,
        "without a signature",
        "404",
        ended,
        lambda scene: change_link(scene, lambda link: link.partition("?")[0]),
    )
    yield Attack(
        section, "one letter changed", "404", ended, lambda scene: change_link(scene, lambda link: link[:-1] + "~")
    )
    yield Attack(section, "signed with another key", "404", ended, foreign_key)
    yield Attack(section, "expired", "404", ended, expired)
    yield Attack(section, "put before another version", "404", ended, other_version)
    yield Attack(section, "for a digest that the version does not hold", "404", "holds no such file", other_digest)
    yield Attack(section, "for a user who is nobody any more", "404", ended, other_user)
    yield Attack(section, "for a version that was deleted", "404", "", deleted)


def change_link(scene: Scene, change: Callable[[str], str]) -> Outcome:
    scene.ready()
    return scene.get(change(scene.link()))


def foreign_key(scene: Scene) -> Outcome:
    version_id = scene.ready().rpartition("/")[2]
    signature = signing.Signer(["another key of enough letters"]).sign_link(FileLink(version_id, "0" * 64, "local"))
    return scene.get(f"/api/2.0/mlflow-artifacts/signed/{version_id}?sig={signature}")


def expired(scene: Scene) -> Outcome:
    scene.ready()
    link = scene.link()
    scene.patch.setattr(signing, "LINK_LIFE_S", -1)
    return scene.get(link)


def other_version(scene: Scene) -> Outcome:
    version_id = scene.ready().rpartition("/")[2]
    return scene.get(scene.link().replace(version_id, "1" * 32))


def other_digest(scene: Scene) -> Outcome:
    return own_signature(scene, digest="0" * 64, user="local")


def other_user(scene: Scene) -> Outcome:
    return own_signature(scene, digest="0" * 64, user="mallory")


def own_signature(scene: Scene, *, digest: str, user: str) -> Outcome:
    """Ask with a signature of our own key: what even a leaked one could not do."""
    version_id = scene.ready().rpartition("/")[2]
    signer = signing.Signer(scene.yard.runtime.secret_keys)
    signature = signer.sign_link(FileLink(version_id, digest, user))
    return scene.get(f"/api/2.0/mlflow-artifacts/signed/{version_id}?sig={signature}")


def deleted(scene: Scene) -> Outcome:
    scene.ready()
    link = scene.link()
    scene.yard.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})
    return scene.get(link)


ATTACKS = [*_texts(), *_files(), *_tracking(), *_buckets(), *_uploads(), *_downloads(), *_links()]
