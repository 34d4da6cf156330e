"""The list of what can be asked."""

import json

from wirecover.queries.library import load


def test_the_list_has_every_query_and_its_question(run) -> None:
    done = run("queries", "--format", "json")
    assert (done.code, done.err) == (0, "")
    listed = json.loads(done.out)
    assert {row["name"]: row["question"] for row in listed} == {
        name: query.question for name, query in load().items()
    }
    signatures = {row["name"]: row["parameters"] for row in listed}
    assert signatures["flows_of_address"].split(", ")[0] == "ip"
    assert signatures["top_talkers"] == "top?"


def test_all_about_one_query(run) -> None:
    done = run("queries", "flows_of_address")
    assert done.code == 0
    assert done.out.splitlines()[0] == load()["flows_of_address"].question
    assert "-p ip=...  ADDRESS, required:" in done.out
    assert "-p since=...  TIMESTAMP_NS, default none:" in done.out
    assert "flow_id BIGINT" in done.out


def test_an_unknown_name_suggests_the_nearest(run) -> None:
    done = run("queries", "flow_of_adress")
    assert done.code == 2 and "did you mean flows_of_address" in done.err


def test_one_query_has_no_format(run) -> None:
    assert run("queries", "exhibits", "--format", "json").code == 2
