"""What a run ran on: packages, as pip can install them."""
