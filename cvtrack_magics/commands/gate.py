"""``%mlgate`` and ``%mlcheck``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from cvtrack_magics.commands.line import Line, evaluate
from cvtrack_magics.commands.show_lines import show
from cvtrack_magics.lazy import Lazy

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlcheck as checking
    from cvtrack_magics.commands import mlgate as gating
else:
    checking = Lazy("cvtrack_magics.commands.mlcheck")
    gating = Lazy("cvtrack_magics.commands.mlgate")

GATE = (
    Line(
        "%mlgate",
        "Judge a version by rules and by the champion; promote it if it passes.\n"
        "A rule has its direction: 'val/mAP50>=0.85', 'p95_latency_ms<=50', 'has(card)',\n"
        "'tag(env)==staging', 'min(val/AP50/*)>=0.6', 'check(run)'. What is missing, NaN, stale\n"
        "or measured differently fails. The champion is compared on the same held-out data, by\n"
        "a paired interval. The verdict is kept on the version for good. A refusal raises, so\n"
        "that a notebook stops; --soft only reports.",
        "%mlgate digits --require 'val/top1_acc>=0.9' --champion val/top1_acc --promote",
    )
    .option("name", nargs="?", default="", metavar="NAME", help="a registered model")
    .option("--version", default="", metavar="V", help="otherwise the newest")
    .option("--run", default="", metavar="RUN", help="the version that was made of this run")
    .option("--require", action="append", default=[], metavar="RULE", help="may be repeated")
    .option("--champion", default="", metavar="METRIC", help="what must be better")
    .option("--margin", type=float, metavar="M", help="by how much; 0 unless given")
    .option("--confidence", type=float, metavar="C", help="how surely; 0.95 unless given")
    .option("--file", default="", metavar="FILE", help="rules in a gate.yaml")
    .option("--data", default="", metavar="EXPR", help="(inputs, truth): measure both on it, now")
    .option("--task", default="", help="the task of --data")
    .option("--trust", action="store_true", help="of --data: the models may run their own code")
    .option("--promote", action="store_true", help="make it the champion if it passes")
    .option("--stage", action="store_true", help="move MLflow's stages too")
    .option("--unproved", action="store_true", help="let a version pass that was not compared")
    .option("--soft", action="store_true", help="report a refusal, and go on")
    .option("--rollback", action="store_true", help="go back to the champion before this one")
    .option("--who", default="", help="who judges; otherwise the user of the machine")
    .option("--reason", default="", help="of the rollback; it is kept")
    .option("--history", action="store_true", help="show what was judged and promoted, and why")
)

CHECK = (
    Line(
        "%mlcheck",
        "Go through the checklists of a run and, for a registered model, of a promotion:\n"
        "each item with ✓ or ✗ and the line that mends it.",
        "%mlcheck digits",
    )
    .option("reference", nargs="?", default="", metavar="RUN|NAME", help="else the open run")
    .option("--version", default="", metavar="V", help="of NAME; otherwise the newest")
    .option("--strict", action="store_true", help="raise when an item is not met")
)


@magics_class
class GateMagics(Magics):
    """What may go to production."""

    def _value(self, text: str, magic: str) -> Any:
        return evaluate(text, self.shell.user_ns, magic)

    @no_var_expand
    @line_magic
    @GATE.document
    def mlgate(self, line: str) -> None:
        """See GATE."""
        options = GATE.read(line)
        if options.history:
            show(gating.past(options.name))
            return
        if options.rollback:
            show(gating.back(options.name, reason=options.reason, who=options.who))
            return
        found = gating.judged(
            options.name,
            version=options.version,
            run=options.run,
            require=options.require,
            champion=options.champion,
            margin=options.margin,
            confidence=options.confidence,
            file=options.file,
            data=self._value(options.data, "%mlgate") if options.data else None,
            task=options.task,
            trust=options.trust,
            promote=options.promote,
            stage=options.stage or None,
            who=options.who,
            unproved=options.unproved,
        )
        show(found)
        if not options.soft:
            gating.insist(found)

    @line_magic
    @CHECK.document
    def mlcheck(self, line: str) -> None:
        """See CHECK."""
        options = CHECK.read(line)
        found = checking.mlcheck(options.reference, version=options.version)
        show(found)
        if options.strict:
            checking.insist(found)
