"""`paceboard doctor`."""

from typing import Final

import typer

from cli import where
from cli.console import out, table

NAME: Final = "doctor"


def command() -> None:
    """Look at everything an installation needs: what is wrong, and the command that mends it.

    Settings and secrets, disk, pages, Kafka, each database role, edition, clock, migrations,
    rights, topics and their partitions, company, periods, administrators, workers, lag, sources.

    It changes nothing. Exit code 3 when there is a fault.

    **Needs** nothing: what does not answer is a finding.

    **Example**  `paceboard doctor`
    """
    from cli.examining import Place, State, examine
    from cli.failures import Failure
    from deploy.local.places import Places

    try:
        settings = where.settings()
    except Failure as failure:
        out.print(f"fault  services  {failure}", markup=False)
        raise typer.Exit(3) from failure
    state = Places.here().state
    found = list(examine(settings, Place(disks=(state if state.exists() else state.parent,))))
    table(("state", "what", "found"), [(one.state, one.what, one.words) for one in found])
    faults = [one for one in found if one.state is not State.OK and one.remedy]
    if faults:
        out.print("\nto mend it:")
        for one in faults:
            out.print(f"  {one.what}: {one.remedy}", markup=False)
    if any(one.state is State.FAULT for one in found):
        raise typer.Exit(3)
    out.print("\nall is well" if not faults else "\nit runs")
