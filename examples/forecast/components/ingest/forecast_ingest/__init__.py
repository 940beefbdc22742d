"""One table out of a pinned set of objects."""
