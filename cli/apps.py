"""wirecover apps: what the application rules can recognise."""

from pathlib import Path

import click

from wirecover.cli.options import check_output, output_options, put


@click.command()
@output_options
def apps(form: str | None, out: Path | None) -> None:
    """List the applications that can be recognised, by what, and what their rules are known to miss."""
    check_output(form, out)
    import pyarrow as pa

    from wirecover.capture.apps.loader import load_rules

    listed = list(load_rules().apps.values())
    kinds = [sorted({kind for row in app.evidence for kind in row.kinds}) for app in listed]
    put(
        pa.table({
            "app": pa.array([app.label for app in listed], pa.string()),
            "title": pa.array([app.title for app in listed], pa.string()),
            "rows": pa.array([len(app.evidence) for app in listed], pa.int64()),
            "kinds": pa.array([", ".join(names) for names in kinds], pa.string()),
            "updated": pa.array([app.updated for app in listed], pa.string()),
            "known_gaps": pa.array([" ".join(app.known_gaps) for app in listed], pa.string()),
        }),
        form, out,
    )  # fmt: skip
