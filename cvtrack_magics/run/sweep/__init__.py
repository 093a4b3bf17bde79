"""Many runs from one cell: Optuna asks and is told, and each trial is a nested run."""
