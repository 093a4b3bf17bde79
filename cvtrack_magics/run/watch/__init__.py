"""What a run says of its own curves while it goes on."""
