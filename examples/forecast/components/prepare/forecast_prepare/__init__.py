"""Features and the fitted transformer out of the checked data."""
