from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.queue_api import QueueApi

if TYPE_CHECKING:
    from duvo_async.emulator import Response

NOBODY = "5f0c1d3e-8a57-4b0e-9a52-d0a7e8a4b6c1"


def create(queue: QueueApi, **label: object) -> dict[str, Any]:
    response = queue.api.post(f"{queue.path}/labels", label)
    assert response.status == 200, response.body
    shown: dict[str, Any] = response.json()["label"]
    return shown


def listed(queue: QueueApi, query: str = "") -> list[tuple[str, str, int]]:
    labels = queue.api.get(f"{queue.path}/labels?{query}").json()["labels"]
    return [(each["key"], each["value"], each["case_count"]) for each in labels]


def of_case(queue: QueueApi, case_id: str, query: str = "") -> list[str]:
    response = queue.api.get(f"{queue.path}/cases/{case_id}/labels?{query}")
    assert response.status == 200, response.body
    return [label["value"] for label in response.json()["labels"]]


def assign(queue: QueueApi, case_id: str, *values: str) -> Response:
    body = {"labels": [{"value": value} for value in values]}
    return queue.api.post(f"{queue.path}/cases/{case_id}/labels", body)


def test_a_new_label_has_no_cases(queue: QueueApi) -> None:
    label = create(queue, key="year", value="2023", color_hue=360)
    assert label == {
        "id": label["id"],
        "key": "year",
        "value": "2023",
        "color_hue": 360,
        "case_count": 0,
    }
    assert queue.api.get(f"{queue.path}/labels").json() == {"labels": [label]}


def test_a_label_that_is_there_is_not_made_again(queue: QueueApi) -> None:
    first = create(queue, value="late", color_hue=7)
    assert create(queue, key="", value="late", color_hue=8) == first
    assert create(queue, key="x", value="late") != first
    assert listed(queue) == [("", "late", 0), ("x", "late", 0)]


def test_labels_belong_to_their_queue(queue: QueueApi) -> None:
    other = QueueApi.create(queue.api, "Other")
    label = create(queue, value="late")
    assert create(other, value="late")["id"] != label["id"]
    path = f"{other.path}/labels/{label['id']}"
    assert queue.api.call("DELETE", path).status == 404
    assert queue.api.call("PATCH", path, {"value": "x"}).status == 404


def test_a_change_shows_in_all_cases(queue: QueueApi) -> None:
    first, second = queue.add("a", "b", labels=[{"key": "year", "value": "2023"}])
    (label,) = queue.case(first)["labels"]
    path = f"{queue.path}/labels/{label['id']}"
    changed = queue.api.call("PATCH", path, {"value": "2024", "color_hue": 1}).json()["label"]
    assert changed == {"id": label["id"], "key": "year", "value": "2024", "color_hue": 1}
    assert queue.case(first)["labels"] == queue.case(second)["labels"] == [changed]
    assert queue.found(filters={"labels": {"year": ["2024"]}}) == ["a", "b"]
    renamed = queue.api.call("PATCH", path, {"key": "", "value": "2024"}).json()["label"]
    assert renamed == {**changed, "key": ""}


def test_no_two_labels_are_the_same(queue: QueueApi) -> None:
    first, second = create(queue, value="a"), create(queue, value="b")
    path = f"{queue.path}/labels/{second['id']}"
    assert queue.api.call("PATCH", path, {"value": "a"}).status == 409
    assert queue.api.call("PATCH", path, {"value": "b"}).status == 200
    assert queue.api.call("DELETE", f"{queue.path}/labels/{first['id']}").status == 200
    assert queue.api.call("PATCH", path, {"value": "a"}).status == 200


def test_a_deleted_label_leaves_all_cases(queue: QueueApi) -> None:
    first, second = queue.add("a", "b", labels=[{"value": "x"}, {"value": "y"}])
    (label, _) = queue.case(first)["labels"]
    deleted = queue.api.call("DELETE", f"{queue.path}/labels/{label['id']}")
    assert deleted.json() == {"success": True}
    assert of_case(queue, first) == of_case(queue, second) == ["y"]
    assert listed(queue) == [("", "y", 2)]


def test_labels_are_assigned_once(queue: QueueApi) -> None:
    (case_id,) = queue.add("a", labels=[{"value": "x"}])
    queue.api.clock.advance(5)
    response = assign(queue, case_id, "y", "x", "y")
    assert [label["value"] for label in response.json()["labels"]] == ["x", "y"]
    assert of_case(queue, case_id) == ["x", "y"]
    assert listed(queue) == [("", "x", 1), ("", "y", 1)]
    assert queue.case(case_id)["updated_at"] == "2023-11-14T22:13:25.000Z"


def test_an_assignment_of_nothing_new_changes_nothing(queue: QueueApi) -> None:
    (case_id,) = queue.add("a", labels=[{"value": "x"}])
    before = queue.case(case_id)
    queue.api.clock.advance(5)
    assign(queue, case_id, "x")
    body = {"label_ids": [NOBODY]}
    queue.api.post(f"{queue.path}/cases/{case_id}/labels/unlink", body)
    assert queue.case(case_id) == before


def test_labels_can_be_taken_from_a_case(queue: QueueApi) -> None:
    first, _ = queue.add("a", "b", labels=[{"value": "x"}, {"value": "y"}])
    (label, _) = queue.case(first)["labels"]
    body = {"label_ids": [label["id"].upper(), NOBODY]}
    response = queue.api.post(f"{queue.path}/cases/{first}/labels/unlink", body)
    assert response.json() == {"success": True}
    assert of_case(queue, first) == ["y"]
    assert listed(queue) == [("", "x", 1), ("", "y", 2)]


def test_labels_are_listed_page_by_page(queue: QueueApi) -> None:
    (case_id,) = queue.add("a", labels=[{"value": value} for value in "xyz"])
    assert of_case(queue, case_id, "limit=1&offset=1") == ["y"]
    assert listed(queue, "offset=2") == [("", "z", 1)]
    for path in (f"{queue.path}/labels", f"{queue.path}/cases/{case_id}/labels"):
        assert queue.api.get(f"{path}?limit=1001").status == 400


def test_a_case_of_another_queue_is_not_found(queue: QueueApi) -> None:
    (case_id,) = QueueApi.create(queue.api, "Other").add("a")
    assert queue.api.get(f"{queue.path}/cases/{case_id}/labels").status == 404
    assert assign(queue, case_id, "x").status == 404
    body = {"label_ids": [NOBODY]}
    assert queue.api.post(f"{queue.path}/cases/{case_id}/labels/unlink", body).status == 404
    assert listed(queue) == []


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        ("/labels", {}),
        ("/labels", {"value": ""}),
        ("/labels", {"value": "x", "color_hue": 361}),
        ("/labels", {"value": "x", "color_hue": 1.5}),
        ("/labels", {"value": "x", "key": None}),
        ("/cases/{case_id}/labels", {"labels": []}),
        ("/cases/{case_id}/labels", {"labels": [{"value": "x"}] * 51}),
        ("/cases/{case_id}/labels", {"labels": [{"key": "x"}]}),
        ("/cases/{case_id}/labels", {"labels": [{"value": "x", "id": NOBODY}]}),
        ("/cases/{case_id}/labels/unlink", {"label_ids": []}),
        ("/cases/{case_id}/labels/unlink", {"label_ids": ["x"]}),
    ],
)
def test_a_bad_body_is_refused(queue: QueueApi, tail: str, body: object) -> None:
    (case_id,) = queue.add("a")
    assert queue.api.post(queue.path + tail.format(case_id=case_id), body).status == 400
