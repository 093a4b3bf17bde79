"""The way of what is logged: from the loop to disk, and from there to the store."""
