"""``%mlgrid``, ``%mleval``, ``%mlcam``, ``%mlaugment``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from cvtrack_magics.commands.line import Line, evaluate
from cvtrack_magics.commands.show_lines import show
from cvtrack_magics.console import say
from cvtrack_magics.display.work_bar import WorkBar
from cvtrack_magics.lazy import Lazy

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlcam as explaining
    from cvtrack_magics.commands import mleval as measuring
    from cvtrack_magics.commands import mlgrid as looking
else:
    explaining = Lazy("cvtrack_magics.commands.mlcam")
    looking = Lazy("cvtrack_magics.commands.mlgrid")
    measuring = Lazy("cvtrack_magics.commands.mleval")

TASKS = ("classification", "detection", "semantic", "instance", "anomaly", "depth")
_WHAT = "Predictions; with --task (images, truth, output); or a model and its loader"

GRID = (
    Line(
        "%mlgrid",
        "Show predictions as a grid: layers, sorting, filters, thresholds, linked charts.\n"
        "In an open run they are recorded too: the data, a plain picture, and a page that\n"
        "needs neither a kernel nor a network. Without an expression: what the open run, the\n"
        "last one, or the one that --run names has logged with log_predictions().",
        "%mlgrid predictions --sort loss --only wrong",
    )
    .option("value", nargs="*", metavar="EXPR", help=_WHAT)
    .option("--task", choices=TASKS, help="the task, for a tuple or a model")
    .option("--step", type=int, metavar="N", help="the step to record, or to show")
    .option("--name", default="predictions", help="which predictions, where a run has several")
    .option(
        "--sort",
        default="",
        metavar="SCORE",
        help="loss, confidence, iou …; -iou: lowest first",
    )
    .option("--only", default="", metavar="WHICH", help="wrong, right, tp, fp, fn; fixed, broken …")
    .option("--worst", type=int, metavar="N", help="only the N that were got most wrong")
    .option("--truth", default="", metavar="CLASS", help="only samples of this true class")
    .option("--pred", default="", metavar="CLASS", help="only samples predicted as this class")
    .option("--text", default="", help="only samples whose id, name or class has this")
    .option("--threshold", type=float, metavar="T", help="the score from which on it counts")
    .option("--compare", default="", metavar="RUN", help="another run on the same samples")
    .option("--run", default="", metavar="RUN", help="show what this run has logged")
    .option("--height", type=int, default=640, metavar="PX", help="of the grid")
    .option("--save", default="", metavar="FILE", help="write the page to a file")
    .option("--no-record", action="store_true", help="only show it")
)

EVAL = (
    Line(
        "%mleval",
        "Measure predictions by the metrics of their task: figures with a confidence\n"
        "interval, confusion, curves, a row for each sample. All of it is recorded in the\n"
        "open run, or in the one that --run names.",
        "%mleval predictions --prefix test",
    )
    .option("value", nargs="+", metavar="EXPR", help=_WHAT)
    .option("--task", choices=TASKS, help="the task, for a tuple or a model")
    .option("--threshold", type=float, metavar="T", help="the score from which on it counts")
    .option("--iou", type=float, default=0.5, help="the overlap that finds an object")
    .option("--prefix", default="val", help="stands before the names: val, test …")
    .option("--step", type=int, metavar="N", help="the step of the metrics")
    .option("--run", default="", metavar="RUN", help="a finished run to record it in")
    .option("--resamples", type=int, default=1000, metavar="N", help="of the bootstrap; 0: none")
    .option("--level", type=float, default=0.95, help="of the interval")
    .option("--no-figures", action="store_true", help="no pictures")
    .option(
        "--mlflow", default="", metavar="MODEL", help="run MLflow's evaluation on a logged model"
    )
    .option("--inputs", default="", metavar="EXPR", help="what that model takes")
)

CAM = (
    Line(
        "%mlcam",
        "Show where a classifier looks: Grad-CAM of each input, as an overlay that is\n"
        "recorded in the open run.",
        "%mlcam model images[:4] --class 3",
    )
    .option("model", metavar="MODEL", help="a torch module")
    .option("inputs", metavar="INPUT", help="a batch N×C×H×W as the model takes it, or one image")
    .option("--layer", default="", help="the layer's name; found for torchvision's families")
    .option("--class", dest="target", default="", metavar="C", help="index or name; else predicted")
    .option("--classes", default="", metavar="EXPR", help="names of the classes")
    .option(
        "--range",
        default="",
        metavar="EXPR",
        help="(black, white), 'imagenet', 'clip' or (means, deviations)",
    )
    .option("--name", default="grad_cam", help="of the picture in the run")
)

AUGMENT = (
    Line(
        "%mlaugment",
        "Show samples of a data set beside draws of a transform, boxes and masks moved\n"
        "along. Seeds are recorded, and what looks wrong is said.",
        "%mlaugment train_transform train_set --n 4",
    )
    .option("transform", metavar="TRANSFORM", help="torchvision's, Albumentations', or a function")
    .option("dataset", metavar="DATASET", help="items are an image, or an image and its target")
    .option("--n", type=int, default=4, metavar="N", help="samples")
    .option("--draws", type=int, default=4, metavar="K", help="draws of each")
    .option("--seed", type=int, default=0, metavar="S", help="of the draws")
    .option("--name", default="augmentation", help="of the picture in the run")
)


@magics_class
class VisionMagics(Magics):
    """What the model sees."""

    def _value(self, text: str, magic: str) -> Any:
        return evaluate(text, self.shell.user_ns, magic)

    def _predictions(self, words: list[str], task: str | None, magic: str) -> Any:
        """Return what is to be looked at; a model is run over its loader first."""
        values = [self._value(text, magic) for text in words]
        if len(values) == 1:
            return values[0]
        if len(values) > 2 or not callable(values[0]):
            raise UsageError(
                f"{magic} takes Predictions, or a model and its loader; here are "
                f"{', '.join(words)}. A tuple goes in brackets: (images, truth, output)."
            )
        with WorkBar(f"running {words[0]} over {words[1]}", sys.stderr, "samples") as bar:
            return looking.run_over(values[0], values[1], task, bar.update)

    @no_var_expand
    @line_magic
    @GRID.document
    def mlgrid(self, line: str) -> None:
        """See GRID."""
        options = GRID.read(line)
        grid = looking.mlgrid(
            self._predictions(options.value, options.task, "%mlgrid") if options.value else None,
            task=options.task,
            step=options.step,
            name=options.name,
            run=options.run,
            compare=options.compare,
            height=options.height,
            record=not options.no_record,
            sort=options.sort,
            only=options.only,
            worst=options.worst,
            truth=options.truth,
            pred=options.pred,
            text=options.text,
            threshold=options.threshold,
        )
        show(grid)
        if options.save:
            say(f"Written to {grid.save(options.save)}")

    @no_var_expand
    @line_magic
    @EVAL.document
    def mleval(self, line: str) -> None:
        """See EVAL."""
        options = EVAL.read(line)
        show(
            measuring.mleval(
                self._predictions(options.value, options.task, "%mleval"),
                task=options.task,
                threshold=options.threshold,
                iou=options.iou,
                prefix=options.prefix,
                step=options.step,
                run=options.run,
                resamples=options.resamples,
                level=options.level,
                figures=not options.no_figures,
                mlflow=options.mlflow,
                inputs=self._value(options.inputs, "%mleval") if options.inputs else None,
            )
        )

    @no_var_expand
    @line_magic
    @CAM.document
    def mlcam(self, line: str) -> None:
        """See CAM."""
        options = CAM.read(line)
        classes = self._value(options.classes, "%mlcam") if options.classes else ()
        shown = explaining.mlcam(
            self._value(options.model, "%mlcam"),
            self._value(options.inputs, "%mlcam"),
            layer=options.layer or None,
            target=explaining.target_of(options.target, classes),
            classes=classes,
            value_range=self._value(options.range, "%mlcam") if options.range else None,
            name=options.name,
        )
        show(shown)

    @no_var_expand
    @line_magic
    @AUGMENT.document
    def mlaugment(self, line: str) -> None:
        """See AUGMENT."""
        options = AUGMENT.read(line)
        shown = explaining.mlaugment(
            self._value(options.transform, "%mlaugment"),
            self._value(options.dataset, "%mlaugment"),
            n=options.n,
            draws=options.draws,
            seed=options.seed,
            name=options.name,
        )
        show(shown)
