"""What identifies data: samples, samplers, tables of paths."""
