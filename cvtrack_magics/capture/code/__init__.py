"""The code that ran, where the files have changed since."""
