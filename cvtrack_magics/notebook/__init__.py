"""What is typed: parse a line, call one function, show what it says."""
