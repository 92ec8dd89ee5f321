"""A key for the workers of a cluster."""
