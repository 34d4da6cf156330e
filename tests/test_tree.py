"""The house as a whole: what is installed, what has a test, what may be used where."""

import ast
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("capture", "casefile", "queries", "analysis", "report", "cli")

TESTED_ELSEWHERE = {
    "analysis/call_apps.py": "analysis/test_calls.py",
    "analysis/call_evidence.py": "analysis/test_calls.py",
    "analysis/call_join.py": "analysis/test_calls.py",
    "analysis/call_judge.py": "analysis/test_calls.py",
    "analysis/call_media.py": "analysis/test_calls.py",
    "analysis/call_parts.py": "analysis/test_calls.py",
    "analysis/call_rows.py": "analysis/test_calls.py",
    "analysis/call_signals.py": "analysis/test_calls.py",
    "analysis/call_sip.py": "analysis/test_calls.py",
    "analysis/detector.py": "analysis/test_findings.py",
    "analysis/errors.py": "analysis/test_run.py",
    "analysis/evidence.py": "analysis/test_message_events.py",
    "analysis/label_explained.py": "cli/test_apps.py",
    "analysis/pair_test.py": "analysis/test_co_timing.py",
    "analysis/sensitivity.py": "analysis/test_co_timing.py",
    "capture/apps/rule.py": "capture/apps/test_loader.py",
    "capture/decode.py": "capture/test_decode_capture.py",
    "capture/errors.py": "cli/test_main.py",
    "capture/evidence.py": "capture/test_decode_capture.py",
    "capture/files/batch.py": "capture/files/test_reader.py",
    "capture/files/walk.py": "capture/files/test_scan.py",
    "capture/flows/": "capture/test_decode_capture.py",  # the parts of one machine, told apart in its results
    "capture/flows/state.py": "capture/flows/test_tracker.py",
    "capture/flows/table.py": "capture/flows/test_tracker.py",
    "capture/identifiers.py": "casefile/test_ingest.py",
    "capture/manifest.py": "casefile/test_verify.py",
    "capture/name_hunt.py": "capture/test_scope_filter.py",
    "capture/packets/": "capture/packets/test_decode.py",  # one walk over headers, held against its twin as a whole
    "capture/protocols/service_binary.py": "capture/protocols/test_services.py",
    "capture/protocols/service_text.py": "capture/protocols/test_services.py",
    "capture/quality/": "capture/quality/test_survey.py",  # the parts of one count, told apart in its lines
    "capture/registries/dns_types.py": "capture/protocols/test_dns.py",
    "capture/registries/stun_attributes.py": "capture/protocols/test_stun.py",
    "capture/scope.py": "capture/test_scope_filter.py",
    "capture/scope_ends.py": "capture/test_scope_filter.py",
    "capture/scope_texts.py": "capture/test_scoped_evidence.py",
    "capture/tables.py": "casefile/test_schema.py",
    "capture/version.py": "cli/test_version.py",
    "casefile/anchors.py": "cli/test_log.py",
    "casefile/authority.py": "casefile/test_authority_file.py",
    "casefile/authority_instruments.py": "casefile/test_authority_check.py",
    "casefile/authority_log.py": "casefile/test_authority_record_check.py",
    "casefile/bundle.py": "casefile/test_seal.py",
    "casefile/catalogue.py": "casefile/test_case.py",
    "casefile/demands.py": "casefile/test_custody.py",
    "casefile/derived.py": "casefile/test_store.py",
    "casefile/derived_check.py": "casefile/test_verify.py",
    "casefile/entering.py": "casefile/test_ingest.py",
    "casefile/errors.py": "cli/test_main.py",
    "casefile/foreign.py": "casefile/test_share.py",
    "casefile/heads.py": "casefile/test_verify.py",
    "casefile/layout.py": "casefile/test_case.py",
    "casefile/log_check.py": "casefile/test_log_file.py",
    "casefile/log_signatures.py": "casefile/test_examiner.py",
    "casefile/log_view.py": "cli/test_log.py",
    "casefile/loose_files.py": "cli/test_log.py",
    "casefile/pool.py": "casefile/test_ingest.py",
    "casefile/receipt.py": "casefile/test_bundle_check.py",
    "casefile/share_content.py": "hostile/test_bundles.py",
    "casefile/share_handling.py": "casefile/test_share.py",
    "casefile/share_receive.py": "casefile/test_share.py",
    "casefile/share_rows.py": "casefile/test_share.py",
    "casefile/share_rules.py": "casefile/test_share.py",
    "casefile/share_scope.py": "casefile/test_share.py",
    "casefile/transaction.py": "casefile/test_ingest.py",
    "cli/__main__.py": "cli/test_main.py",
    "cli/acting.py": "cli/test_examiner.py",
    "cli/destroy.py": "casefile/test_destroy.py",
    "cli/identity.py": "cli/test_seal.py",
    "cli/receive.py": "cli/test_share.py",
    "cli/signing.py": "cli/test_seal.py",
    "cli/unseal.py": "cli/test_seal.py",
    "queries/binding.py": "queries/test_sandbox.py",
    "queries/errors.py": "queries/test_library.py",
    "queries/runner.py": "queries/test_query_cases.py",
    "queries/sandbox_worker.py": "queries/test_sandbox.py",
    "report/applications.py": "report/test_document.py",
    "report/calls.py": "report/test_view_calls.py",
    "report/errors.py": "report/test_document.py",
    "report/exhibits.py": "report/test_document.py",
    "report/figures.py": "report/test_pdf.py",
    "report/files.py": "report/test_pdf.py",
    "report/findings.py": "report/test_document.py",
    "report/json_file.py": "report/test_verify_report.py",
    "report/model.py": "report/test_codec.py",
    "report/quality.py": "report/test_view_quality.py",
    "report/sentences.py": "report/test_document.py",
    "report/verify.py": "report/test_verify_report.py",
    "report/view.py": "report/test_pdf.py",
    "report/view_findings.py": "report/test_pdf.py",
}
"""Module, or folder -> the test file that covers it, where that is not the mirror of its path."""

CLOCK = {"casefile/case.py"}
"""May ask for the time: acts in the custody log and `ingested_at` have one, and take it from a clock that can
be set."""
CHANCE = {
    "casefile/anchors.py",
    "casefile/authority_store.py",
    "casefile/custody.py",
    "capture/flows/tracker.py",
    "casefile/ingest.py",
}
"""May draw at random what no result holds: the seed of the flow table's hash (so that no capture can be
crafted to fill one bucket), names of temporary folders, keys, and numbers that a time-stamp authority repeats."""


def modules() -> list[Path]:
    return sorted(path for floor in FLOORS for path in ROOT.joinpath(floor).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def uses(path: Path) -> frozenset[str]:
    """Full names of what a module imports, what it reads from that (`time.time_ns`), and what it calls."""
    known: dict[str, str] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    found = set(known.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        elif isinstance(node, ast.Attribute):
            root, _, rest = ast.unparse(node).partition(".")
            if root in known:
                found.add(f"{known[root]}.{rest}")
    return frozenset(found)


def using(pattern: str) -> set[str]:
    asked = re.compile(pattern)
    return {name(path) for path in modules() if any(asked.fullmatch(used) for used in uses(path))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_the_wheel_installs_nothing_but_wirecover(wheel: list[str]) -> None:
    tops = {entry.partition("/")[0] for entry in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"wirecover"}


def test_the_wheel_holds_every_file_of_the_floors(wheel: list[str]) -> None:
    ours = {
        f"wirecover/{name(path)}"
        for floor in FLOORS
        for path in ROOT.joinpath(floor).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert {entry for entry in wheel if entry.startswith("wirecover/")} == ours
    assert all(f"wirecover/{floor}/py.typed" in ours for floor in FLOORS)


@pytest.mark.parametrize("path", modules(), ids=name)
def test_every_module_has_its_test(path: Path) -> None:
    if path.name == "__init__.py":
        return
    folder = path.parent.relative_to(ROOT).as_posix()
    mirror = f"{folder}/test_{path.name}"
    told = TESTED_ELSEWHERE.get(name(path)) or (
        mirror if ROOT.joinpath("tests", mirror).is_file() else TESTED_ELSEWHERE.get(f"{folder}/", mirror)
    )
    assert ROOT.joinpath("tests", told).is_file(), f"{name(path)} has no tests/{told}"


def test_the_exceptions_exist() -> None:
    for module, told in TESTED_ELSEWHERE.items():
        assert ROOT.joinpath(module).exists(), f"{module} is no module any more"
        assert ROOT.joinpath("tests", told).is_file(), f"there is no tests/{told}"


def test_only_the_command_line_prints() -> None:
    assert all(module.startswith("cli/") for module in using(r"print|sys\.stdout\.write|pprint\..*"))


def test_only_the_custody_log_asks_for_the_time() -> None:
    assert using(r"time\.(time|time_ns)|datetime\..*\.(now|utcnow|today)") == CLOCK


def test_nothing_is_left_to_chance() -> None:
    assert using(r"(random|secrets|uuid|numpy\.random|os\.urandom)(\..*)?") == CHANCE


def test_nothing_opens_a_connection() -> None:
    assert using(r"(socket|ssl|http|urllib|ftplib|smtplib|requests|httpx|asyncio)(\..*)?") == set()


def test_locks_hold_versions_and_hashes_only() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = ROOT.joinpath(lock).read_text(encoding="utf-8")
        entries = re.split(r"\n(?=\S)", text.strip())
        assert len(entries) > 10
        for entry in entries:
            head, *hashes = (part.strip().rstrip("\\").strip() for part in entry.splitlines())
            assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; .+)?", head), f"{lock}: {head}"
            assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)


def test_what_is_needed_at_run_time_is_locked_alike_for_development() -> None:
    run, dev = (
        set(re.findall(r"^\S+==\S+", ROOT.joinpath(lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert run < dev
