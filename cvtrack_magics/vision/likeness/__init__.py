"""Which of many pictures show the same, whatever was done to them since."""
