"""Bundles made by a hand that has the keys and keeps no rules: signed, sealed for us, and meant to do harm.

Each attack is made whole (right signature, right hashes), so that nothing but the one rule stands against it.
"""

import io
import json
import resource
import subprocess
import sys
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sealing import Keys, keys, opened_by_hand, sealed_by_hand, sealed_bytes
from sharing import SCOPE, Line, case_of, write_scope

from wirecover.capture.tables import TABLES
from wirecover.casefile.bundle import Nowhere, open_bundle
from wirecover.casefile.bundle_manifest import BundleManifest, Member, canonical
from wirecover.casefile.case import Case
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.seal import unseal
from wirecover.casefile.share import share
from wirecover.casefile.share_receive import receive
from wirecover.casefile.share_scope import read_order

T0 = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A right bundle from alice for bob, and bob's case."""
    folder = tmp_path_factory.mktemp("hostile")
    ours = case_of(folder / "ours", [[Line("192.0.2.1", "198.51.100.1", T0, T0 + 9, "signal")]])
    Case.create(folder / "theirs", training=True)
    alice, bob = keys(folder, "alice"), keys(folder, "bob")
    order = read_order(write_scope(folder / "scope.toml", SCOPE))
    share(ours, order, "H2", None, folder / "right", bob.recipients, alice.signer)
    (folder / "members.json").write_text("{}")
    KEYS.update(alice=alice, bob=bob)
    return folder


KEYS: dict[str, Keys] = {}


@pytest.fixture
def files(root: Path) -> dict[str, bytes]:
    """What the right bundle holds, without its head."""
    with tarfile.open(fileobj=io.BytesIO(opened_by_hand(root / "right", KEYS["bob"].identities))) as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    MANIFEST["right"] = BundleManifest.from_bytes(found.pop("manifest.json"))
    del found["manifest.sig"], found["signer.pem"]
    return found


MANIFEST: dict[str, BundleManifest] = {}


def forged(root: Path, files: dict[str, bytes], *, check: bool = True, **changes: Any) -> Path:
    """A bundle that alice really signed: any files under any names, and any manifest."""
    members = tuple(Member(name, len(data), sha256(data).hexdigest()) for name, data in sorted(files.items()))
    manifest = replace(MANIFEST["right"], members=members, **changes).to_bytes()
    head = [("manifest.json", manifest), ("manifest.sig", KEYS["alice"].signer.sign(manifest))]
    head.append(("signer.pem", KEYS["alice"].signer.public_pem()))
    return sealed_by_hand(root / "forged", [*head, *sorted(files.items())], KEYS["bob"].recipients)


def refused(root: Path, path: Path, says: str | None = None) -> None:
    """The case and everything around it is as before, its log aside."""
    case = Case.open(root / "theirs")
    before = {one for one in root.rglob("*") if "log" not in one.parts}
    with pytest.raises(CaseError, match=says):
        receive(case, path, KEYS["bob"].identities, KEYS["alice"].fingerprint)
    after = {one for one in root.rglob("*") if "log" not in one.parts}
    assert {one.name for one in after - before} <= {"foreign"}
    assert not (root / "theirs" / "foreign").exists() or not list((root / "theirs" / "foreign").iterdir())
    with case.connect() as connection:
        assert connection.execute("SELECT count(*) FROM foreign_bundles").fetchall() == [(0,)]


def table(name: str, rows: list[dict[str, Any]], **kinds: pa.DataType) -> bytes:
    schema = TABLES[name]
    for key, kind in kinds.items():
        schema = schema.set(schema.get_field_index(key), pa.field(key, kind))
    out = io.BytesIO()
    full = [dict.fromkeys(schema.names) | row for row in rows]
    pq.write_table(pa.Table.from_pylist(full, schema=schema), out, compression="zstd")
    return out.getvalue()


def exhibit_of(files: dict[str, bytes]) -> str:
    return next(name.split("/")[1] for name in files if name.startswith("exhibits/"))


NAMES = [
    "../evil", "/etc/cron.d/evil", "exhibits/../../evil", "C:\\evil", "exhibits\\evil", "CON", "nul.parquet", "evil.",
    "evil ", "e\x1b[31mvil", "e\u202evil", "x/" * 9 + "y", "x" * 201, "case.duckdb", "log/custody.jsonl",
    "manifest.json",
    "evidence/" + "0" * 64 + "/flows.parquet", "exhibits/" + "0" * 64 + "/comments.parquet", ".hidden",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_anywhere(root: Path, files: dict[str, bytes], name: str) -> None:
    if len(name.encode()) > 100 and "/" not in name[-101:]:
        name = "y/" + name[:190]
    try:
        path = forged(root, {**files, name: b"x"})
    except ValueError:
        return  # not even a tar header holds it
    refused(root, path)


def test_names_that_are_one_file_elsewhere_are_refused(root: Path, files: dict[str, bytes]) -> None:
    digest = exhibit_of(files)
    clash = {**files, f"EXHIBITS/{digest}/flows.parquet": files[f"exhibits/{digest}/flows.parquet"]}
    refused(root, forged(root, clash), "one file on some systems")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_are_refused(root: Path, files: dict[str, bytes], kind: bytes) -> None:
    manifest = MANIFEST["right"].to_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("manifest.json")
        info.type, info.linkname, info.mode = kind, "/etc/passwd", 0o600
        tar.addfile(info)
    refused(root, sealed_bytes(root / "forged", out.getvalue() + manifest, KEYS["bob"].recipients))


def test_swapped_members_are_refused(root: Path, files: dict[str, bytes]) -> None:
    """Each file is a right one under another's name, or comes in another's place."""
    digest = exhibit_of(files)
    flows, packets = f"exhibits/{digest}/flows.parquet", f"exhibits/{digest}/packets.parquet"
    refused(root, forged(root, {**files, flows: files[packets], packets: files[flows]}), "other columns")
    manifest = MANIFEST["right"].to_bytes()
    head = [("manifest.json", manifest), ("manifest.sig", KEYS["alice"].signer.sign(manifest))]
    head.append(("signer.pem", KEYS["alice"].signer.public_pem()))
    body = sorted(files.items())
    variants = [
        [*head, *body[1:]], [*head, *body[::-1]], [*head, *body, body[0]], [*head, *body, ("more", b"")],
        [head[1], head[0], head[2], *body], body, [*head[:1], *body], [*head, ("manifest.json", manifest)],
    ]  # fmt: skip
    for members in variants:
        refused(root, sealed_by_hand(root / "forged", members, KEYS["bob"].recipients))


def test_an_exhibit_under_another_ones_hash_is_refused(root: Path, files: dict[str, bytes]) -> None:
    digest = exhibit_of(files)
    moved = {name.replace(digest, "0" * 64): data for name, data in files.items()}
    refused(root, forged(root, moved), "not that of the exhibit")
    alone = {name: data for name, data in files.items() if not name.endswith("captures.parquet")}
    refused(root, forged(root, alone), "without its exhibit's own row")


BOMB_ROWS = 3_000_000


def bombs() -> dict[str, bytes]:
    number = pa.nulls(BOMB_ROWS, pa.int64())
    columns = {field.name: pa.nulls(BOMB_ROWS, field.type) for field in TABLES["packets"]} | {
        "flow_no": number
    }
    many = io.BytesIO()
    pq.write_table(pa.table(columns, schema=TABLES["packets"]), many, compression="zstd")
    long = [dict.fromkeys(TABLES["app_evidence"].names) | {"flow_no": 0, "value": "A" * 60_000_000}]
    wide = [{"flow_no": 0, "sni": "A" * 70_000}] * 100
    return {
        "packets": many.getvalue(),
        "app_evidence": table("app_evidence", long),
        "tls_handshakes": table("tls_handshakes", wide),
    }


def test_bombs_are_refused(root: Path, files: dict[str, bytes]) -> None:
    digest = exhibit_of(files)
    for name, data in bombs().items():
        assert len(data) < 200_000, "it is a bomb"
        refused(
            root,
            forged(root, {**files, f"exhibits/{digest}/{name}.parquet": data}),
            "rows in|packed into|a text of",
        )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        b"PAR1" + bytes(100) + b"\xff\xff\xff\x7fPAR1",
        b"PAR1" * 10,
        b"PAR1" + b"\xff" * 200 + b"\x64\0\0\0PAR1",
    ],
)
def test_what_is_no_parquet_is_refused(root: Path, files: dict[str, bytes], data: bytes) -> None:
    refused(root, forged(root, {**files, f"exhibits/{exhibit_of(files)}/flows.parquet": data}))


def test_broken_parquet_is_refused_or_read_but_never_crashes(root: Path, files: dict[str, bytes]) -> None:
    """Every 97th byte of a real file changed: in a process of its own, for it is Arrow that is tried."""
    from wirecover.casefile.share_content import check_content

    name = f"exhibits/{exhibit_of(files)}/tls_handshakes.parquet"
    folder = root / "content"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    manifest = replace(MANIFEST["right"], members=(Member(name, 0, "0" * 64),))
    for place in range(0, len(files[name]), 97):
        data = bytearray(files[name])
        data[place] ^= 0x41
        (folder / name).write_bytes(data)
        try:
            check_content(folder, manifest)
        except IntegrityError as error:
            assert "\n" not in str(error)


def test_columns_of_other_names_types_or_order_are_refused(root: Path, files: dict[str, bytes]) -> None:
    digest = exhibit_of(files)
    odd = {
        "name": pa.table({"flow_no": pa.array([1], pa.int64()), "evil": ["x"]}),
        "type": pa.Table.from_pylist([], schema=TABLES["flows"].set(0, pa.field("flow_no", pa.string()))),
        "order": pa.Table.from_pylist([], schema=pa.schema([*TABLES["flows"]][::-1])),
        "missing": pa.Table.from_pylist([], schema=pa.schema([*TABLES["flows"]][:-1])),
    }
    for made in odd.values():
        out = io.BytesIO()
        pq.write_table(made, out)
        refused(
            root, forged(root, {**files, f"exhibits/{digest}/flows.parquet": out.getvalue()}), "columns|type"
        )


TERMS: dict[str, Any] = {
    "handling": "H7", "reference": "", "edition": -1, "partner": None, "purpose": ["x"], "conditions": [],
    "authority_sha256": "0" * 64,
}  # fmt: skip


@pytest.mark.parametrize("name", TERMS)
def test_terms_that_are_none_are_refused(root: Path, files: dict[str, bytes], name: str) -> None:
    refused(root, forged(root, files, share={**MANIFEST["right"].share, name: TERMS[name]}))
    gone = {key: value for key, value in MANIFEST["right"].share.items() if key != name}
    if name != "authority_sha256":
        refused(root, forged(root, files, share=gone))


def test_a_right_bundle_of_the_same_hand_is_taken(
    root: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    """Or every refusal above might have another reason than its own."""
    case = Case.create(tmp_path / "case", training=True)
    assert (
        receive(case, forged(root, files), KEYS["bob"].identities, KEYS["alice"].fingerprint).status
        == "received"
    )


def test_text_in_terms_cannot_move_the_terminal(
    root: Path, files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from wirecover.cli.main import main

    evil = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\nholds everything"
    terms = {**MANIFEST["right"].share, "reference": evil, "handling_meaning": evil,
             "conditions": {"use": [evil], "onward": False, "destroy_by": None}}  # fmt: skip
    path = forged(root, files, share=terms)
    Case.create(tmp_path / "case", training=True)
    words = [
        "receive",
        path,
        "--identity",
        root / "bob",
        "--into",
        tmp_path / "case",
        "--signer",
        root / "alice.signer.pem",
    ]
    assert main([str(one) for one in words]) == 0
    assert main(["verify", str(path), "--identity", str(root / "bob")]) == 0
    shown = "".join(capsys.readouterr())
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown and "\r" not in shown
    assert "\nholds everything" not in shown


# ---- sealed cases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "CON", "evidence/x.", ".ssh/authorized_keys", "log/.lock"]
)
def test_a_sealed_case_leads_nowhere(root: Path, files: dict[str, bytes], name: str, tmp_path: Path) -> None:
    path = forged(
        root, {"case.toml": b"format_version = 1\ntraining = true\n", name: b"x"}, kind="case", share={}
    )
    with pytest.raises(CaseError):
        unseal(path, KEYS["bob"].identities, tmp_path / "case")
    assert not list(tmp_path.iterdir())


def test_a_sealed_folder_that_is_no_case_is_refused(
    root: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    for content in ({}, {"case.toml": b"\xff"}, {"case.toml": b"format_version = 1\ntraining = true\n"},
                    {"case.toml": b"format_version = 1\ntraining = true\n", "log/custody.jsonl": b"{}\n"}):  # fmt: skip
        with pytest.raises(CaseError):
            unseal(forged(root, content, kind="case", share={}), KEYS["bob"].identities, tmp_path / "case")
        assert not list(tmp_path.iterdir())


def test_a_manifest_of_many_claims_costs_little(root: Path, files: dict[str, bytes]) -> None:
    """A header that claims 4 TiB, a manifest that claims 64 MiB: nothing is reserved for a claim."""
    from wirecover.casefile.bundle_archive import header

    data = header("manifest.json", 1 << 42)
    refused(
        root,
        sealed_bytes(root / "forged", data + bytes(1000), KEYS["bob"].recipients),
        "not where it should be",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="measures with Linux's limits")
def test_memory_does_not_grow_with_the_bundle(root: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    """96 MB go through a process that may have 64 MB more than it has after its imports."""
    big = bytes(96 << 20)
    path = forged(root, {**files, "exhibits/x.parquet": big})
    script = (
        "import resource\n"
        "from pathlib import Path\n"
        "from wirecover.casefile.bundle import Nowhere, open_bundle\n"
        "from wirecover.casefile.bundle_keys import read_identities\n"
        "ids = read_identities(Path({!r}))\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), size + (64 << 20)))\n"
        "print(len(open_bundle(Path({!r}), ids, lambda *_: None, Nowhere()).manifest.members))\n"
    ).format(str(root / "bob"), str(path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(len(files) + 1), done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS) is not None


def test_canonical_json_is_the_only_form(root: Path, files: dict[str, bytes]) -> None:
    facts = json.loads(MANIFEST["right"].to_bytes())
    loose = json.dumps(facts).encode()
    assert canonical(facts) == MANIFEST["right"].to_bytes()
    head = [("manifest.json", loose), ("manifest.sig", KEYS["alice"].signer.sign(loose))]
    head.append(("signer.pem", KEYS["alice"].signer.public_pem()))
    path = sealed_by_hand(root / "forged", [*head, *sorted(files.items())], KEYS["bob"].recipients)
    refused(root, path, "canonical")
    with pytest.raises(IntegrityError):
        open_bundle(path, KEYS["bob"].identities, lambda *_: None, Nowhere())
