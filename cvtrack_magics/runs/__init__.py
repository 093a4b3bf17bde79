"""The life of a run: scope, nesting, outcome, resume, orphans."""
