"""wirecover apps: what the application rules can recognise, and why a flow has its label."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wirecover.cli.options import case_argument, check_output, output_options, put
from wirecover.cli.streams import tell

if TYPE_CHECKING:
    import pyarrow as pa

    from wirecover.capture.apps.matcher import RuleSet

_rules_option = click.option(
    "--rules", type=click.Path(path_type=Path, exists=True), metavar="DIR",
    help="Folder (or file) of application rules of your own, beside those of this version.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@output_options
@_rules_option
@click.option("--evidence", is_flag=True, help="One line a rule: its values, confidence, source and dates.")
@click.pass_context
def apps(
    context: click.Context, form: str | None, out: Path | None, rules: Path | None, evidence: bool
) -> None:
    """List the applications that can be recognised, by what, and what their rules are known to miss."""
    if context.invoked_subcommand is not None:
        return
    check_output(form, out)
    from wirecover.capture.apps.loader import load_rules

    known = load_rules(rules)
    put(_evidence(known) if evidence else _applications(known), form, out)
    if known.local_sha256:
        tell(f"application rules {known.sha256}, of which your own {known.local_sha256}")


@apps.command()
@case_argument
@click.argument("flow", type=int)
@output_options
@_rules_option
def explain(case: Path, flow: int, form: str | None, out: Path | None, rules: Path | None) -> None:
    """Show why FLOW (its flow_id) of CASE has its label: reasons, conflicts, and hints that did not suffice."""
    check_output(form, out)
    import pyarrow as pa

    from wirecover.analysis.label_explained import explain as explained
    from wirecover.capture.apps.loader import load_rules
    from wirecover.casefile.case import Case

    with closing(Case.open(case).connect()) as connection:
        found = explained(connection, flow, load_rules(rules))
    label = "no label" if found.label is None else f"label {found.label} ({found.confidence} percent)"
    tell(f"flow {flow}: {label}")
    if not found.same_rules:
        tell(
            "The rules that are loaded are not those of the ingest: hints are by the former, reasons by the latter."
        )
    columns = ("role", "app", "rule_id", "kind", "value", "frame", "confidence", "why", "source")
    kinds = {"frame": pa.int64(), "confidence": pa.int64()}
    put(
        pa.table({
            name: pa.array([getattr(one, name) for one in found.reasons], kinds.get(name, pa.string()))
            for name in columns
        }),
        form, out,
    )  # fmt: skip


def _applications(rules: "RuleSet") -> "pa.Table":
    import pyarrow as pa

    listed = list(rules.apps.values())
    kinds = [sorted({kind for row in app.evidence for kind in row.kinds}) for app in listed]
    return pa.table({
        "app": pa.array([app.label for app in listed], pa.string()),
        "title": pa.array([app.title for app in listed], pa.string()),
        "rows": pa.array([len(app.evidence) for app in listed], pa.int64()),
        "kinds": pa.array([", ".join(names) for names in kinds], pa.string()),
        "updated": pa.array([app.updated for app in listed], pa.string()),
        "sources": pa.array([" ".join(app.references) for app in listed], pa.string()),
        "known_gaps": pa.array([" ".join(app.known_gaps) for app in listed], pa.string()),
    })  # fmt: skip


def _evidence(rules: "RuleSet") -> "pa.Table":
    import pyarrow as pa

    from wirecover.capture.apps.explanation import span

    rows = [row for app in rules.apps.values() for row in app.evidence]
    texts = {
        "app": [row.app for row in rows],
        "rule_id": [row.id for row in rows],
        "title": [row.title for row in rows],
        "kinds": [", ".join(row.kinds) for row in rows],
        "values": [", ".join(row.values) for row in rows],
        "needs": [", ".join(row.needs) for row in rows],
        "mark": [row.mark for row in rows],
        "confirmed": [row.confirmed for row in rows],
        "holds": [span(row) for row in rows],
        "region": [", ".join(row.region) for row in rows],
        "source": [row.source for row in rows],
        "licence_note": [row.licence_note for row in rows],
    }
    numbers = {"confidence": [row.confidence for row in rows]}
    return pa.table(
        {name: pa.array(values, pa.string()) for name, values in texts.items()}
        | {name: pa.array(values, pa.int64()) for name, values in numbers.items()}
    )
