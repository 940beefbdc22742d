"""What the steps of the forecast example share."""
