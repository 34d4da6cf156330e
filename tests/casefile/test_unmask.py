"""Who a third party is: told for a reason, to two persons where that is asked, and no key of it leaves by itself."""

import io
import tarfile
from pathlib import Path

import pytest
from sealing import keys, opened_by_hand
from sharing import order
from support import conversations as talk
from support import orders
from support.traffic import START, Connection, write_capture

from wirecover.casefile.authority_file import parse_authority
from wirecover.casefile.authority_store import KEY_FILE
from wirecover.casefile.case import Case
from wirecover.casefile.errors import AuthorityError, CaseError
from wirecover.casefile.log_file import records
from wirecover.casefile.seal import seal, unseal
from wirecover.casefile.share import share
from wirecover.casefile.share_scope import Scope
from wirecover.casefile.unmask import unmask
from wirecover.casefile.verify import verify

NOW = START


def make(tmp_path: Path, more: str = "") -> Case:
    record = parse_authority(orders.order(more=more, top='third_parties = "pseudonymise"'), "order.toml")
    case = Case.create(tmp_path / "case", training=False, authority=record, clock=lambda: NOW)
    frames = talk.tls_13(Connection("10.9.9.9", "192.0.2.1", 40000, 443, ts=START), b"a.example").frames
    assert case.ingest([write_capture(tmp_path / "x.pcap", frames)]).exit_code == 0
    return case


def opened(case: Case, reason: str | None = "asked by the magistrate") -> Case:
    return Case.open(case.path, clock=lambda: NOW, reason=reason)


def test_an_address_is_held_against_the_pseudonyms(tmp_path: Path) -> None:
    case = make(tmp_path)
    one, other = unmask(opened(case), ["10.9.9.9", "10.9.9.8"])
    with case.connect() as connection:
        ends = connection.execute("SELECT client_ip FROM flows").fetchall()
    assert ends == [(one.pseudonym,)] and one.flows == 1 and other.flows == 0
    log = (case.path / "log" / "custody.jsonl").read_text(encoding="utf-8")
    assert '"verb":"unmask"' in log and "10.9.9.9" not in log and one.pseudonym not in log


def test_it_is_refused_without_reason_key_pseudonyms_or_second_person(tmp_path: Path) -> None:
    case = make(tmp_path, '[custody]\ntwo_person = ["unmask"]\n')
    with pytest.raises(AuthorityError, match="without a reason"):
        unmask(opened(case, None), ["10.9.9.9"])
    with pytest.raises(AuthorityError, match="two examiners"):
        unmask(opened(case), ["10.9.9.9"])
    with pytest.raises(CaseError, match="does not appear to be"):
        unmask(opened(case), ["nobody"])
    bob = keys(tmp_path / "keys", "bob")
    with pytest.raises(AuthorityError, match="two examiners"):
        seal(opened(case), tmp_path / "sealed", bob.recipients, bob.signer, with_pseudonym_key=True)
    assert not (tmp_path / "sealed").exists()
    with pytest.raises(AuthorityError, match="no third parties under pseudonyms"):
        unmask(Case.create(tmp_path / "t", training=True), ["10.9.9.9"])


@pytest.mark.parametrize("with_key", [False, True])
def test_the_key_is_sealed_only_when_asked_for(tmp_path: Path, with_key: bool) -> None:
    case, bob = make(tmp_path), keys(tmp_path / "keys", "bob")
    key = (case.path / KEY_FILE).read_bytes()
    seal(case, tmp_path / "sealed", bob.recipients, bob.signer, with_pseudonym_key=with_key)
    assert ("unmask" in {one.verb for one in records(case.path)}) is with_key
    there = unseal(tmp_path / "sealed", bob.identities, tmp_path / "there", clock=lambda: NOW).case
    assert (there.path / KEY_FILE).exists() is with_key
    if not with_key:
        assert all(key.strip() not in path.read_bytes() for path in there.path.rglob("*") if path.is_file())
        with pytest.raises(AuthorityError, match=r"pseudonyms\.key: cannot be read"):
            there.ingest([tmp_path / "x.pcap"])
    assert verify(there).holds


def test_a_share_never_holds_the_key(tmp_path: Path) -> None:
    case, bob = make(tmp_path), keys(tmp_path / "keys", "bob")
    key = (case.path / KEY_FILE).read_bytes().strip()
    scope = Scope(None, None, (), (), (), (), ("flows", "packets"), exhibit_names=False)
    basis = parse_authority(orders.order(), "order.toml")
    share(opened(case), order(scope), "H2", basis, tmp_path / "shared", bob.recipients, bob.signer)
    with tarfile.open(fileobj=io.BytesIO(opened_by_hand(tmp_path / "shared", bob.identities))) as tar:
        files = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    assert any(name.endswith("flows.parquet") for name in files)
    assert not any(
        KEY_FILE in name or key in data or bytes.fromhex(key.decode()) in data for name, data in files.items()
    )
