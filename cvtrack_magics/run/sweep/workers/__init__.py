"""Trials whose bodies run in other processes: of this machine, or of a Ray cluster."""
