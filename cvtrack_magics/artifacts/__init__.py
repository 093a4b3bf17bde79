"""The contract: what the files of a run are called, and what is in each.

``paths`` has every name. Each file with facts in it has a frozen dataclass, which ``codec``
writes and reads; whoever writes or reads such a file does it by these two.
"""
