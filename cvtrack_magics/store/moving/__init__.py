"""Moves all that one store has of runs and models to another, and may be repeated.

What is moved has the tag ``cvtrack.moved_from`` there, so whoever comes to it again finds it: a
move that broke off goes on, and what was written since the last one is added.
"""
