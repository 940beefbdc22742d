"""Train and register the SGD regression."""
