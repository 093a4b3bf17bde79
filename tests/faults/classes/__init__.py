"""The fault suite by class: each a module that draws schedules and plays them on real runs."""
