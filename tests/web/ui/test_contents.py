"""The files of a version as pages show them, whatever they hold."""

from modelyard.web.ui.model_file import read_model_file
from tests.web.ui.reader import Reader, elements, text_of

HERE = "/models/m/versions/1"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def test_files_are_shown_as_what_they_are_and_saved_as_what_they_were(reader: Reader) -> None:
    files = {
        "MLmodel": b"flavors: {sklearn: {sklearn_version: 1.8.0}}\n" + b"# long\n" * 200_000,
        "binary.txt": b"\x00\x01\x02",
        "page.html": b"<script>alert(1)</script>",
        "picture.dat": PNG,
        "large.txt": "é".encode() * 200_000,
        "a b#c?d%/ü.txt": b"deep",
    }
    reader.yard.ready("m", source=reader.yard.model_folder("hostile", **files))

    assert "too large to be read here" in text_of(reader.open(f"{HERE}/mlmodel"))
    assert "This file cannot be shown here" in text_of(reader.open(f"{HERE}/artifacts/binary.txt"))
    html = reader.open(f"{HERE}/artifacts/page.html")
    assert "<script>alert" not in html
    assert "<script>alert(1)</script>" in text_of(html)
    assert "Only the first 256 KB" in text_of(reader.open(f"{HERE}/artifacts/large.txt"))
    assert elements(reader.open(f"{HERE}/artifacts/picture.dat"), "img")
    odd = next(str(link["href"]) for link in elements(reader.open(HERE), "a") if "a%20b" in str(link.get("href")))
    assert odd == f"{HERE}/artifacts/a%20b%23c%3Fd%25"
    assert "deep" in text_of(reader.open(f"{odd}/%C3%BC.txt"))

    saved, picture = reader.get(f"{HERE}/raw/page.html"), reader.get(f"{HERE}/image/picture.dat")
    assert saved.data == files["page.html"]
    assert saved.headers["Content-Disposition"].startswith("attachment")
    assert saved.mimetype == "application/octet-stream"
    for answer in (saved, picture):
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert picture.mimetype == "image/png"
    assert reader.get(f"{HERE}/image/page.html").status_code == 404


def test_a_folder_of_many_files_is_shown_in_pages(reader: Reader) -> None:
    many = {f"parts/{number:04d}.bin": b"" for number in range(1200)}
    reader.yard.ready("m", source=reader.yard.model_folder("many", **many))

    first = reader.open(f"{HERE}/artifacts/parts")
    onward = next(str(link["href"]) for link in elements(first, "a") if "?from=" in str(link.get("href")))
    second = reader.open(onward)

    assert "1200 files" in text_of(reader.open(HERE)).replace(",", "")
    assert "0499.bin" in first
    assert "0500.bin" not in first
    assert "0500.bin" in second


def test_a_model_file_of_any_kind_is_read_or_says_why_not() -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (98 + n, 98 + n, 97 + n, 97 + n) for n in range(20))
    deep = b"signature: {inputs: '" + b"[" * 5000 + b"'}"
    plain = (
        b"",
        b"\xff\xfe",
        b"[1, 2",
        b"- a\n- b\n",
        b"signature: 7",
        b"flavors: [a]",
        b"x: !!python/object:os.system",
    )
    for content in (*plain, bomb, deep):
        found = read_model_file(content)
        assert not found.has_signature

    good = read_model_file(b"""signature: {inputs: '[{"name": "x", "type": "double", "required": false}]'}""")
    assert [(column.name, column.kind, column.required) for column in good.inputs] == [("x", "double", False)]
