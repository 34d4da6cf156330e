"""wirecover report: the case as a PDF."""

from pathlib import Path

import click

from wirecover.cli.options import case_argument
from wirecover.cli.streams import tell

LANGUAGES = ("en", "fr", "nl", "de")


@click.command()
@case_argument
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="PDF to write.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Its language.")
def report(case: Path, out: Path, lang: str) -> None:
    """Write the report of CASE to a PDF, and its data as JSON beside it.

    The same case gives the same bytes.
    """
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out: there is no folder {out.absolute().parent}")
    from wirecover.casefile.case import Case
    from wirecover.report.document import build
    from wirecover.report.pdf import render

    opened = Case.open(case)
    document = build(opened)
    written = render(document, out, lang)
    facts = {"name": out.name, "lang": lang, "report_id": document.report_id, "sha256": written.sha256}
    opened.log("report", facts)
    tell(f"Wrote {written.pdf} ({written.bytes:,} bytes) and its data, {written.companion}.")
    tell(f"SHA-256 of the PDF: {written.sha256}")
