"""Make the better model Production."""
