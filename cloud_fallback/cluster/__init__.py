"""The service on many processes and machines, with Ray Serve."""
