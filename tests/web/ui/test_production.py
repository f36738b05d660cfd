"""What the page of a model says of Production and of what happened lately."""

from tests.web.ui.reader import Reader, text_of

MOVE = "model-versions/transition-stage"


def test_the_page_says_what_serves_since_when_and_what_served_before(reader: Reader) -> None:
    yard = reader.yard
    for number in (1, 2):
        yard.ready("m", source=yard.model_folder(f"m{number}"))
    assert "No version has been in Production yet." in text_of(reader.open("/models/m"))

    yard.call("POST", MOVE, {"name": "m", "version": "1", "stage": "Production"})
    html = text_of(reader.open("/models/m"))
    assert "ServingVersion 1 since" in html.replace("Serving ", "Serving")
    assert "Before" not in html

    yard.call("POST", MOVE, {"name": "m", "version": "2", "stage": "Production", "archive_existing_versions": True})
    # What stepped aside is written down by a job, behind the promotion's answer.
    yard.work()
    html = text_of(reader.open("/models/m"))
    assert "Version 2 since" in html
    assert "BeforeVersion 1 until" in html.replace("Before ", "Before")


def test_what_was_only_asked_for_does_not_serve(reader: Reader) -> None:
    yard = reader.yard
    yard.ready("m")
    ask = {"name": "m", "version": "1", "stage": "Production"}
    answer = yard.send("POST", "/api/2.0/mlflow/transition-requests/create", ask)
    assert answer.status_code == 200

    html = text_of(reader.open("/models/m"))

    assert "No version has been in Production yet." in html
    assert "requested a stage for version 1" in html


def test_lately_is_told_newest_first_of_the_model_and_its_versions(reader: Reader) -> None:
    yard = reader.yard
    yard.ready("m")
    yard.call("POST", MOVE, {"name": "m", "version": "1", "stage": "Staging"})

    told = text_of(reader.open("/models/m")).split("Recent activity")[1]

    assert told.index("moved version 1 to") < told.index("registered version 1") < told.index("created the model")
