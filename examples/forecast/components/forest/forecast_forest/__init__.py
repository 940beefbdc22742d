"""Train and register the random forest."""
