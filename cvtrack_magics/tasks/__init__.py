"""What differs from task to task: how truth is read, measured, drawn and shown."""
