"""The page's own colours, for HTML that no script helps: VS Code's, Jupyter's, or what it inherits.

VS Code comes first, for its pages define JupyterLab's light colours in every theme of theirs;
Jupyter's pages define none of VS Code's. Of VS Code's names those are taken that can be read
(4.5 : 1) in its light, dark and high contrast themes; ``tests/display/test_theme.py`` measures it.
"""

from __future__ import annotations

MUTED = "var(--vscode-descriptionForeground, var(--jp-ui-font-color2, inherit))"
GOOD = "var(--vscode-terminal-ansiGreen, var(--jp-success-color1, inherit))"
BAD = "var(--vscode-editorError-foreground, var(--jp-error-color1, inherit))"
WARN = (
    "var(--vscode-list-warningForeground, "
    "var(--vscode-editorWarning-foreground, var(--jp-warn-color0, inherit)))"
)
ACCENT = "var(--vscode-textLink-foreground, var(--jp-brand-color1, inherit))"
LINE = "var(--vscode-panel-border, var(--jp-border-color2, #8886))"
FONT = "var(--vscode-font-family, var(--jp-ui-font-family, system-ui, sans-serif))"

STATUS = {"FINISHED": GOOD, "FAILED": BAD, "KILLED": WARN, "RUNNING": ACCENT}
"""The colour of the sign before a run's name."""
