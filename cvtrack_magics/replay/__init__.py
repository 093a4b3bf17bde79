"""A recorded run as a notebook and a script that run it again."""
