"""Multi-label classification: any number of classes a sample, each by a score of its own."""
