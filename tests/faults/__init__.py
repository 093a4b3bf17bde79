"""Kills, stops, slows and refuses, and then counts: nothing lost, nothing doubled."""
