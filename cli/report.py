"""wirecover report: the case as a PDF."""

from hashlib import sha256
from pathlib import Path

import click

from wirecover.cli.acting import acting, exported, open_case, tell_found
from wirecover.cli.options import case_argument
from wirecover.cli.streams import tell

LANGUAGES = ("en", "fr", "nl", "de")


@click.command()
@case_argument
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="PDF to write.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Its language.")
@click.option(
    "--reproducible", is_flag=True, help="Leave out the head of the custody log, which always differs."
)
@acting
def report(case: Path, out: Path, lang: str, reproducible: bool) -> None:
    """Write the report of CASE to a PDF, and its data as JSON beside it.

    Its number is made of what the case says, and is the same for the same case. The head of the custody log is
    printed on it; without that (--reproducible) the same case gives the same bytes.
    """
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out: there is no folder {out.absolute().parent}")
    from wirecover.casefile.custody import Act, record
    from wirecover.report.document import build
    from wirecover.report.model import LogHead
    from wirecover.report.pdf import render

    opened = open_case(case)
    with record(opened, Act("report", {"name": out.name, "lang": lang}, export=True)) as entry:
        tell_found(entry.found)
        head = None if reproducible else LogHead(entry.begun.seq, entry.begun.sha256)
        document = build(opened, head=head)
        written = render(document, out, lang)
        both = (written.pdf, written.companion)
        files = [[exported(case, path), sha256(path.read_bytes()).hexdigest()] for path in both]
        entry.result(written.sha256, name=out.name, report_id=document.report_id, files=files)
    tell(f"Wrote {written.pdf} ({written.bytes:,} bytes) and its data, {written.companion}.")
    tell(f"SHA-256 of the PDF: {written.sha256}")
