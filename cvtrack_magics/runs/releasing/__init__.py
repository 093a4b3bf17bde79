"""From run to production, as functions: each gathers facts, calls ``release`` and records."""
