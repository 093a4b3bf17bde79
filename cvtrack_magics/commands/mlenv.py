"""``mlenv()``: what the code runs on."""

from __future__ import annotations

from cvtrack_magics.capture.machine.environment import environment_facts, requirements_text
from cvtrack_magics.capture.machine.hardware import hardware_facts
from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.show_lines import Table


def _perform(typed: Typed) -> Table | str:
    if "packages" in typed.values:
        return requirements_text()
    return Table(("what", "here"), mlenv().items())


@command(
    perform=_perform,
    extras={"packages": Arg(const=True, help="Show the requirements file instead.")},
)
def mlenv() -> dict[str, str]:
    """Show what this code runs on: versions, CPU, memory, GPU.

    Every run records it, with all packages as a requirements file.

    Returns
    -------
    dict of str to str
        Each fact by its name.

    Examples
    --------
    ::

        %mlenv
    """
    facts = {**environment_facts(), **hardware_facts()}
    if not any(key.startswith("GPU") for key in facts):
        facts["GPU"] = "none"
    return facts
