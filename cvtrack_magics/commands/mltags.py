"""``mltags()``: tags of the open run, or of every run."""

from __future__ import annotations

from typing import Any

from cvtrack_magics.capture.data.schema import TAG_SCHEMA
from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.show_lines import Table
from cvtrack_magics.commands.typed import key_values
from cvtrack_magics.console import say
from cvtrack_magics.records import Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said
from cvtrack_magics.run.tagging import tag_records
from cvtrack_magics.run.unopened import innermost


def _perform(typed: Typed) -> Table:
    if "clear" in typed.values:
        get_session().tags.clear()
    if typed.values.get("tags"):
        say(mltags(**typed.values["tags"]))
    return _set_now()


def _set_now() -> Table:
    """Return the tags of the schema and what they are set to."""
    session = get_session()
    scope = session.current
    current = {**session.tags, **(scope.tags if scope else {})}
    # bookkeeping, MLflow's or this package's, is not shown
    current = {k: v for k, v in current.items() if not k.startswith(("mlflow.", "cvtrack."))}
    rows = [(i.key, current.get(i.key, "—"), i.example, i.purpose) for i in TAG_SCHEMA]
    names = {item.key for item in TAG_SCHEMA}
    rows += [(key, value, "", "") for key, value in current.items() if key not in names]
    return Table(("tag", "set to", "for example", "what for"), rows)


@command(
    perform=_perform,
    tags=Arg("K=V", key_values),
    extras={"clear": Arg(const=True, help="Forget the tags set for every run.")},
)
def mltags(**tags: Any) -> Said:
    """Tag the open run; with none open, every run from now on.

    Without words the magic shows the tags of the schema and what they are set to.

    Parameters
    ----------
    **tags
        Names and values; near misses of the schema's names (task, backbone, dataset, env,
        git_commit, hardware, team) are told.

    Examples
    --------
    ::

        %mltags task=classification dataset=digits team=cv
    """
    session = get_session()
    records = tag_records(tags)
    missed = innermost() if session.current is None else None
    if missed is not None:
        where, lines = f"run {missed.name!r}, which {missed.why}", []
    elif session.current is None and session.member is None:
        session.tags.update({r.key: r.value for r in records if isinstance(r, Tag)})
        where = "every run from now on"
        lines = [r.text for r in records if not isinstance(r, Tag) and hasattr(r, "text")]
    else:
        name, lines = session.record(records)
        where = f"run {name!r}"
    said = ", ".join(f"{r.key}={r.value}" for r in records if isinstance(r, Tag))
    return Said("\n".join([*lines, f"Tags of {where}: {said}"]), records)
