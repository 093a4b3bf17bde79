"""The model artifact: a network, what stands before and after it, and how both are opened."""
