"""The service on more than one machine, with Ray Serve."""
