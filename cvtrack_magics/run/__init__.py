"""The life of a run: scope, nesting, outcome, resume, its way to the store, recovery."""
