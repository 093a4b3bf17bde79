"""A model in fewer bits, kept only where the task's own figure shows that it is as good."""
