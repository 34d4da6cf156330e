"""wirecover authority: check, show, amend."""

from pathlib import Path

from support import orders


def test_check_lists_what_refuses_first(run, tmp_path: Path) -> None:
    record = tmp_path / "a.toml"
    record.write_bytes(orders.order({'"active"': '"draft"', '["traffic", ': "["}))
    done = run("authority", "check", record)
    assert done.code == 4
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["contradiction", "missing"]
    assert "2 reasons to refuse it" in done.err


def test_check_of_a_good_record_leaves_what_a_person_must_weigh(run, tmp_path: Path) -> None:
    record = tmp_path / "a.toml"
    record.write_bytes(orders.order())
    done = run("authority", "check", record)
    assert done.code == 0
    assert done.out and all(line.startswith(("confirm", "warning")) for line in done.out.splitlines())


def test_a_record_with_an_unknown_key_is_one_line(run, tmp_path: Path) -> None:
    record = tmp_path / "a.toml"
    record.write_bytes(orders.order(top='colour = "red"'))
    done = run("authority", "check", record)
    assert done.code == 4 and done.out == "" and len(done.lines) == 1 and "line 1, colour" in done.lines[0]


def test_show_and_amend(run, tmp_path: Path) -> None:
    record = tmp_path / "a.toml"
    record.write_bytes(orders.order())
    assert run("init", tmp_path / "c", "--authority", record).code == 0
    done = run("authority", "show", tmp_path / "c")
    assert done.code == 0
    assert "network 10.0.0.2/32 (suspect)" in done.out and "retention.review_at" in done.out
    assert "ingest now          allowed" in done.out
    record.write_bytes(orders.order({"2099-01-01": "2098-01-01"}))
    assert run("authority", "amend", tmp_path / "c", record).code == 0
    assert "2098-01-01" in run("authority", "show", tmp_path / "c").out


def test_a_training_case_has_none(run, tmp_path: Path) -> None:
    run("init", tmp_path / "c", "--training")
    assert "training case" in run("authority", "show", tmp_path / "c").out


def test_an_amendment_gives_the_reason_that_the_record_asks_for(run, tmp_path: Path) -> None:
    record, asks = tmp_path / "a.toml", '[custody]\nreason_required = true\ntwo_person = ["authority"]\n'
    record.write_bytes(orders.order(more=asks))
    assert run("init", tmp_path / "c", "--authority", record).code == 0
    record.write_bytes(orders.order({"2099-01-01": "2098-01-01"}, more=asks))
    done = run("authority", "amend", tmp_path / "c", record)
    assert done.code == 4 and len(done.lines) == 1 and "--reason TEXT" in done.lines[0]
    done = run("authority", "amend", tmp_path / "c", record, "--reason", "renewed")
    assert done.code == 4 and len(done.lines) == 1 and "two examiners" in done.lines[0]
