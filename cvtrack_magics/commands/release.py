"""``%mlmodel``, ``%mlexport``, ``%mlbench``, ``%mlcard``, ``%mlload``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from cvtrack_magics.commands.line import Line, evaluate
from cvtrack_magics.commands.show_lines import show
from cvtrack_magics.display.work_bar import WorkBar
from cvtrack_magics.lazy import Lazy

if TYPE_CHECKING:
    from cvtrack_magics.commands import (
        mlbench as timing,
    )
    from cvtrack_magics.commands import (
        mlcard as carding,
    )
    from cvtrack_magics.commands import (
        mlexport as exporting,
    )
    from cvtrack_magics.commands import (
        mlload as loading,
    )
    from cvtrack_magics.commands import (
        mlmodel as modelling,
    )
else:
    carding = Lazy("cvtrack_magics.commands.mlcard")
    exporting = Lazy("cvtrack_magics.commands.mlexport")
    loading = Lazy("cvtrack_magics.commands.mlload")
    modelling = Lazy("cvtrack_magics.commands.mlmodel")
    timing = Lazy("cvtrack_magics.commands.mlbench")

_RUN = "a finished run to record it in; otherwise the open one"
_EXAMPLE = "a real input: a batch as the model takes it, a tuple of inputs, or a dict by name"

MODEL = (
    Line(
        "%mlmodel",
        "Record a torch model as an MLflow model: signature and example from a real sample,\n"
        "and, with --pre and --post, all that stands between a raw image and an answer.\n"
        "It loads in a fresh process without the notebook's classes, and nothing is pickled.\n"
        "--pre: a torchvision transform, or a function. --post: softmax, sigmoid, argmax,\n"
        "labels, top:5, threshold, probability (one sigmoid), multilabel:0.5, ordinal, exp\n"
        "(of LogSoftmax), boxes:cxcywh,relative|nms:0.5 …, or a function. Where a detector's\n"
        "output can be read in several ways, a word says which: boxes:cxcywh,columns,sigmoid.",
        "%mlmodel model --example images[:1] --pre transform --post softmax --register digits",
    )
    .option("model", metavar="MODEL", help="a torch module")
    .option("--example", required=True, metavar="EXPR", help=_EXAMPLE)
    .option("--name", default="model", help="the folder among the run's artifacts")
    .option("--register", default="", metavar="NAME", help="make a version of this model")
    .option("--pre", default="", metavar="EXPR", help="from a raw image to the model's input")
    .option("--post", default="", metavar="EXPR", help="from the model's output to an answer")
    .option("--labels", default="", metavar="EXPR", help="names of the classes")
    .option("--run", default="", metavar="RUN", help=_RUN)
    .option("--force", action="store_true", help="register it though it answers otherwise")
)

EXPORT = (
    Line(
        "%mlexport",
        "Export a model, prove that the export computes the same, and record it with the\n"
        "proof. A difference or an operator that cannot be exported: nothing is recorded,\n"
        "and a report says where it begins and what to try.",
        "%mlexport onnx model --example images[:1] --dynamic batch",
    )
    .option("format", choices=("onnx", "torchscript", "pt2"), help="what to export to")
    .option("model", metavar="MODEL", help="a torch module")
    .option("--example", required=True, metavar="EXPR", help=_EXAMPLE)
    .option("--opset", type=int, metavar="N", help="of ONNX; otherwise the exporter's own")
    .option("--dynamic", default="batch", metavar="AXIS,…", help="batch[,height,width], or none")
    .option("--tolerance", type=float, metavar="T", help="relative; absolute is a tenth of it")
    .option("--seed", type=int, default=0, metavar="S", help="of the random inputs")
    .option("--run", default="", metavar="RUN", help=_RUN)
)

BENCH = (
    Line(
        "%mlbench",
        "Measure latency and throughput: warmed up, synchronised, eager, TorchScript,\n"
        "torch.compile and onnxruntime side by side, with the spread of each percentile.\n"
        "Recorded as p50_latency_ms, p95_latency_ms, p99_latency_ms and\n"
        "throughput_imgs_per_sec (of the first runner at the smallest batch).",
        "%mlbench model --example images[:1] --batch 1,8,32",
    )
    .option(
        "target",
        metavar="MODEL|RUN|NAME@ALIAS",
        help="a torch module, an .onnx file, or a run or version",
    )
    .option("--example", required=True, metavar="EXPR", help="one input, as a batch of one")
    .option("--batch", default="1,8,32", metavar="N,N", help="batch sizes")
    .option("--seconds", type=float, default=2.0, metavar="S", help="for each figure")
    .option("--runners", default="", metavar="RUNNER,…", help="eager, torchscript, compile, onnx")
    .option("--threads", type=int, metavar="N", help="otherwise as many as torch uses")
    .option("--run", default="", metavar="RUN", help=_RUN)
    .option("--trust", action="store_true", help="a recorded model may run its own code")
)

CARD = (
    Line(
        "%mlcard",
        "Write the model card from the facts of the run and version. Intended use, limits\n"
        "and fairness are yours: --edit FILE is written once with the questions, read when\n"
        "it is there, and its words are never overwritten.",
        "%mlcard digits --edit MODEL_CARD.md",
    )
    .option("reference", nargs="?", default="", metavar="NAME|RUN", help="else the open run")
    .option("--version", default="", metavar="V", help="of NAME; otherwise the newest")
    .option("--edit", default="", metavar="FILE", help="where a person's words are")
    .option("--licence", default="", help="such as apache-2.0")
)

LOAD = (
    Line(
        "%mlload",
        "Load a model by alias, stage or version; model = %mlload NAME@champion.\n"
        "What runs code when it is opened (pickles, TorchScript) needs --trust.",
        "model = %mlload digits@champion",
    )
    .option("reference", metavar="NAME@ALIAS|NAME/STAGE|NAME/V|RUN", help="a run is brittle")
    .option("--onnx", action="store_true", help="the verified export, by onnxruntime")
    .option("--into", default="", metavar="MODEL", help="put the weights into this module")
    .option("--name", default="model", help="the folder among the run's artifacts")
    .option("--trust", action="store_true", help="load pickles and TorchScript; both run code")
)


@magics_class
class ReleaseMagics(Magics):
    """From a model in the notebook to one that can be shipped."""

    def _value(self, text: str, magic: str) -> Any:
        return evaluate(text, self.shell.user_ns, magic)

    def _step(self, text: str, magic: str) -> Any:
        """Return what --pre or --post names: a word for a built-in step, or an expression."""
        if not text:
            return None
        if modelling.is_step(text) and text not in self.shell.user_ns:
            return text
        return self._value(text, magic)

    @no_var_expand
    @line_magic
    @MODEL.document
    def mlmodel(self, line: str) -> None:
        """See MODEL."""
        options = MODEL.read(line)
        show(
            modelling.mlmodel(
                self._value(options.model, "%mlmodel"),
                self._value(options.example, "%mlmodel"),
                name=options.name,
                register=options.register,
                pre=self._step(options.pre, "%mlmodel"),
                post=self._step(options.post, "%mlmodel"),
                labels=self._value(options.labels, "%mlmodel") if options.labels else None,
                run=options.run,
                force=options.force,
            )
        )

    @no_var_expand
    @line_magic
    @EXPORT.document
    def mlexport(self, line: str) -> None:
        """See EXPORT."""
        from cvtrack_magics.errors import ExportRefused

        options = EXPORT.read(line)
        try:
            shown = exporting.mlexport(
                options.format,
                self._value(options.model, "%mlexport"),
                self._value(options.example, "%mlexport"),
                opset=options.opset,
                dynamic=() if options.dynamic == "none" else tuple(options.dynamic.split(",")),
                tolerance=options.tolerance,
                seed=options.seed,
                run=options.run,
            )
        except ExportRefused as error:
            show(exporting.refusal_of(error))
            raise
        show(shown)

    @no_var_expand
    @line_magic
    @BENCH.document
    def mlbench(self, line: str) -> None:
        """See BENCH."""
        options = BENCH.read(line)
        target: Any = options.target
        if timing.is_expression(target, self.shell.user_ns):
            target = self._value(target, "%mlbench")
        batches = _numbers(options.batch)
        with WorkBar("measuring", sys.stdout, "%") as bar:
            found = timing.mlbench(
                target,
                self._value(options.example, "%mlbench"),
                batches=batches,
                seconds=options.seconds,
                runners=tuple(options.runners.split(",")) if options.runners else None,
                threads=options.threads,
                run=options.run,
                trust=options.trust,
                progress=bar.update,
            )
        show(found)

    @line_magic
    @CARD.document
    def mlcard(self, line: str) -> None:
        """See CARD."""
        options = CARD.read(line)
        show(
            carding.mlcard(
                options.reference,
                version=options.version,
                edit=options.edit,
                licence=options.licence,
            )
        )

    @no_var_expand
    @line_magic
    @LOAD.document
    def mlload(self, line: str) -> Any:
        """See LOAD."""
        options = LOAD.read(line)
        return loading.mlload(
            options.reference,
            onnx=options.onnx,
            into=self._value(options.into, "%mlload") if options.into else None,
            name=options.name,
            trust=options.trust,
        )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise UsageError(f"--batch {text!r}: numbers of 1 and more, such as 1,8,32.")
    return found
