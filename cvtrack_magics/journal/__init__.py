"""What is kept on disk of a run until the store has all of it."""
