"""The notebook or terminal that IPython runs in, as the runs layer sees it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from cvtrack_magics.console import say
from cvtrack_magics.notebook.displays import Displays
from cvtrack_magics.notebook.execution_log import ExecutionLog
from cvtrack_magics.run.host import CellFacts, encodable, figure_png, open_figures, write_over

if TYPE_CHECKING:
    from cvtrack_magics.capture.code.cell_order import Saved
    from cvtrack_magics.capture.code.recipes import Executed
    from cvtrack_magics.capture.code.session import Cell


class ShellHost:
    """A running :class:`IPython.core.interactiveshell.InteractiveShell`.

    Parameters
    ----------
    shell : InteractiveShell
        The user's shell.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.interactive_display = hasattr(shell, "kernel")
        self.unstored: list[str] = []
        self.displays = Displays(shell)
        self.log = ExecutionLog(shell.user_ns)
        self._contexts: dict[str, Context] = {}
        self._hooks: list[Any] = []
        self._publisher: Any = None
        self._figures: list[tuple[str, bytes]] = []
        self._open_before: set[int] = set()
        self._cleared, self._since = False, -1

    @property
    def has_page(self) -> bool:
        """Whether somebody may look at the cell while it runs.

        What executes notebooks (nbclient, papermill, nbval) says that nobody can be asked for
        input; a front end says that somebody can. Voila executes and shows.
        """
        asks = getattr(getattr(self.shell, "kernel", None), "_allow_stdin", True)
        return bool(asks) or os.environ.get("SERVER_SOFTWARE", "").startswith("voila")

    def notebook(self) -> str:
        """Return the notebook's path: jupyter-server's, VS Code's, or ``""``."""
        path = os.environ.get("JPY_SESSION_NAME") or self.shell.user_ns.get(
            "__vsc_ipynb_file__", ""
        )
        return str(path)

    def cells(self) -> Sequence[Cell]:
        """Return every cell since the kernel started, with the outputs IPython keeps.

        A front end can run cells without storing them, as nbval does; then the sources
        seen since the extension was loaded are all there is.
        """
        from cvtrack_magics.capture.code.session import Cell

        history = self.shell.history_manager
        outputs = getattr(history, "outputs", {})  # IPython 9 and later keep them
        errors = getattr(history, "exceptions", {})
        stored = [
            Cell(count, source, tuple(self._outputs(count, outputs.get(count, ()), errors)))
            for count, source in enumerate(history.input_hist_raw)
            if count > 0 and source.strip()
        ]
        return stored or [Cell(n, source) for n, source in enumerate(self.unstored, 1)]

    def sources(self) -> Sequence[str]:
        """Return the sources of those cells, without their outputs."""
        stored = [text for text in self.shell.history_manager.input_hist_raw[1:] if text.strip()]
        return stored or list(self.unstored)

    def executed(self) -> Sequence[Executed]:
        """Return the cells that were executed since the extension was loaded."""
        return tuple(self.log.executed)

    def key_of(self, cell: CellFacts) -> str:
        """Return what a cell is known by among those that were executed."""
        return self.log.key_of(cell.cell_id, cell.source)

    def saved(self) -> Saved:
        """Return the notebook's file as it was saved last."""
        return self.log.saved(self.notebook())

    def grown(self) -> frozenset[str]:
        """Return the names whose objects the running cell has changed in place so far."""
        return self.log.grown_now()

    def names(self) -> Mapping[str, Any]:
        """Return the notebook's names."""
        names: Mapping[str, Any] = self.shell.user_ns
        return names

    def _outputs(
        self, count: int, kept: Any, errors: Mapping[int, Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        outputs = self.displays.among(count, _outputs(kept, count))
        return [*outputs, *_error(errors.get(count))]

    def show(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Publish an output, or print its text form in a terminal."""
        if not self.interactive_display:
            self.say(str(bundle.get("text/plain", "")))
            return
        bundle = encodable(bundle)
        self._contexts[display_id] = copy_context()
        self._hooks = self.displays.hooks_of_others()
        with self.displays.ours():
            self.shell.display_pub.publish(
                dict(bundle), metadata={}, transient={"display_id": display_id}
            )

    def is_gone(self, display_id: str) -> bool:
        """Whether an output was cleared away with its cell's others."""
        return self.displays.is_gone(display_id)

    def show_again(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Publish an output that was cleared away, in its cell, from any thread."""
        self.displays.is_back(display_id)
        context = self._contexts.get(display_id)
        if context is None:
            return
        with self.displays.ours(), self.displays.heard_by(self._hooks):
            context.copy().run(
                self.shell.display_pub.publish,
                dict(encodable(bundle)),
                metadata={},
                transient={"display_id": display_id},
            )

    def update(self, bundle: Mapping[str, Any], display_id: str) -> None:
        """Replace an output where that can be shown."""
        if not self.interactive_display:
            return
        # a message belongs to the cell that showed the output, whichever thread sends it
        context = self._contexts.get(display_id) or copy_context()
        with self.displays.heard_by(self._hooks):
            context.copy().run(
                self.shell.display_pub.publish,
                dict(encodable(bundle)),
                metadata={},
                transient={"display_id": display_id},
                update=True,
            )

    def ended_by(self) -> None:
        """Return nothing: what a cell ends with is shown, and the process goes on."""

    def say(self, text: str) -> None:
        """Print one line."""
        if text:
            say(text)

    def line(self, text: str) -> None:
        """Write over the terminal's last line; a notebook has the live plot instead."""
        if not self.interactive_display:
            write_over(text)

    # -- figures

    def start_figures(self) -> None:
        """Watch what the cell publishes; a figure says so in its text form."""
        self._open_before = set(open_figures())
        publisher = self.shell.display_pub
        if self._publisher is not None:
            return
        original = publisher.publish

        def publish(data: Mapping[str, Any], *args: Any, **keywords: Any) -> Any:
            if str(data.get("text/plain", "")).startswith("<Figure"):
                transient = keywords.get("transient") or {}
                self._keep(data, str(transient.get("display_id") or ""))
            return original(data, *args, **keywords)

        clear = publisher.clear_output

        def clear_output(*args: Any, **keywords: Any) -> Any:
            self._cleared = True
            return clear(*args, **keywords)

        self._cleared, self._since = False, -1
        publisher.publish, publisher.clear_output = publish, clear_output
        self._publisher = publisher

    def _keep(self, data: Mapping[str, Any], display_id: str) -> None:
        """Keep a figure; what updates it, or is shown after a clearing, redraws it."""
        kind = next((kind for kind in _FORMATS if kind in data), "")
        if not kind:
            return
        figure = display_id, _bytes_of(kind, data[kind])
        places = [at for at, (known, _) in enumerate(self._figures) if known == display_id != ""]
        if places and not self._cleared:
            self._figures[places[-1]] = figure
            return
        if self._cleared and self._figures:
            start = len(self._figures) - 1 if self._since < 0 else self._since
            del self._figures[start:]
            self._since = start
        self._cleared = False
        self._figures.append(figure)

    def stop_figures(self) -> list[bytes]:
        """Give the publisher back; return what was shown, or is open in a terminal.

        PNG where the figure has one, else SVG, JPEG or PDF; of a figure that is updated, or redrawn
        with ``clear_output`` in between, the last state.
        """
        if self._publisher is not None:
            for name in ("publish", "clear_output"):
                vars(self._publisher).pop(name, None)
            self._publisher = None
        figures = [figure for _, figure in self._figures]
        self._figures = []
        if not figures and not self.interactive_display:
            figures = [figure_png(n) for n in open_figures() if n not in self._open_before]
        return figures


_FORMATS = ("image/png", "image/svg+xml", "image/jpeg", "application/pdf")


def _bytes_of(kind: str, data: str | bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    return data.encode() if kind == "image/svg+xml" else base64.b64decode(data)


def _outputs(kept: Any, count: int) -> list[dict[str, Any]]:
    """Turn IPython's kept outputs into nbformat's."""
    outputs: list[dict[str, Any]] = []
    for item in kept:
        bundle = item.bundle
        if item.output_type in ("out_stream", "err_stream"):
            name = "stdout" if item.output_type == "out_stream" else "stderr"
            text = bundle.get("stream", "")
            text = "".join(text) if isinstance(text, list) else text
            outputs.append({"output_type": "stream", "name": name, "text": text})
        elif item.output_type == "execute_result":
            outputs.append(
                {
                    "output_type": "execute_result",
                    "execution_count": count,
                    "data": dict(bundle),
                    "metadata": {},
                }
            )
        else:
            outputs.append({"output_type": "display_data", "data": dict(bundle), "metadata": {}})
    return outputs


def _error(error: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if not error:
        return []
    return [
        {
            "output_type": "error",
            "ename": str(error.get("ename", "")),
            "evalue": str(error.get("evalue", "")),
            "traceback": [str(line) for line in error.get("traceback", ())],
        }
    ]
