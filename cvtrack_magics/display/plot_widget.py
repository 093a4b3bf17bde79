"""The widget of the live plot: its code in the page, and how a front end comes to run that."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anywidget
import traitlets

VIEW_MIME = "application/vnd.jupyter.widget-view+json"

_BUNDLE = Path(__file__).parent / "static" / "plot.js"
_NOT_BUILT = """export default { render({ el }) {
  el.textContent = "The live plot was not built: pip install cvtrack_magics again.";
} };"""


class PlotWidget(anywidget.AnyWidget):
    """A plot in a page; the messages that it draws are `LivePlot`'s.

    Attributes
    ----------
    title : str
        Shown above the curves.
    run : str
        Where it puts itself in the page.
    """

    _esm = _BUNDLE.read_text(encoding="utf-8") if _BUNDLE.exists() else _NOT_BUILT
    title = traitlets.Unicode().tag(sync=True)
    run = traitlets.Unicode().tag(sync=True)

    def view(self) -> dict[str, object]:
        """Return what displays a view of it."""
        return {VIEW_MIME: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}

    def close_whole(self) -> None:
        """Close it and its layout, a widget of its own that nobody else closes."""
        layout = self.layout
        self.close()
        layout.close()


def needs_view() -> bool:
    """Say whether this front end runs a widget's code only where a view of it is displayed.

    JupyterLab and Notebook 7 run it as soon as the widget is opened, so that the plot can
    put itself into plain HTML, which a notebook saved in the middle of a run still shows.
    VS Code (which names the notebook in the user's namespace, and starts its own kernels
    without a Jupyter session) and Colab wait for a view. It draws nothing itself where the
    page has the run's place, and so takes nothing away where it cannot be loaded.
    """
    return (
        "google.colab" in sys.modules
        or "__vsc_ipynb_file__" in vars(sys.modules["__main__"])
        or ("VSCODE_PID" in os.environ and "JPY_SESSION_NAME" not in os.environ)
    )
