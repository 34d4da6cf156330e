"""A case is made under an authority or as training, never otherwise."""

from pathlib import Path

from support import orders

from wirecover.casefile.case import Case


def test_a_training_case_says_so(run, tmp_path: Path) -> None:
    done = run("init", tmp_path / "c", "--training")
    assert (done.code, done.out) == (0, "")
    assert "training" in done.err
    assert Case.open(tmp_path / "c").training


def test_without_a_basis_there_is_no_case(run, tmp_path: Path) -> None:
    done = run("init", tmp_path / "c")
    assert done.code == 2 and "--authority" in done.err
    assert not (tmp_path / "c").exists()


def test_both_bases_exclude_each_other(run, tmp_path: Path) -> None:
    assert run("init", tmp_path / "c", "--training", "--authority", "a.toml").code == 2
    assert not (tmp_path / "c").exists()


def test_an_authority_that_lacks_something_is_refused(run, tmp_path: Path) -> None:
    record = tmp_path / "authority.toml"
    record.write_text('reference = "x"\n', encoding="utf-8")
    done = run("init", tmp_path / "c", "--authority", record)
    assert done.code == 4
    assert len(done.lines) == 1 and "authority.toml: format: is missing" in done.lines[0]
    assert not (tmp_path / "c").exists()


def test_a_case_under_an_authority(run, tmp_path: Path) -> None:
    record = tmp_path / "authority.toml"
    record.write_bytes(orders.order())
    done = run("init", tmp_path / "c", "--authority", record)
    assert (done.code, done.out) == (0, "")
    assert "FR_100 JI 4/2026/117" in done.err
    case = Case.open(tmp_path / "c")
    assert not case.training
    assert (tmp_path / "c" / "authority.toml").read_bytes() == orders.order()
    file = case.authority()
    assert file is not None and file.sha256 in done.err


def test_what_is_there_is_not_touched(run, tmp_path: Path) -> None:
    tmp_path.joinpath("c").mkdir()
    tmp_path.joinpath("c", "note.txt").write_text("mine", encoding="utf-8")
    done = run("init", tmp_path / "c", "--training")
    assert done.code == 1 and len(done.lines) == 1
    assert [path.name for path in tmp_path.joinpath("c").iterdir()] == ["note.txt"]
