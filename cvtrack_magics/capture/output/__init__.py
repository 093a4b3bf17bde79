"""What the user's code prints, and what is read from it."""
