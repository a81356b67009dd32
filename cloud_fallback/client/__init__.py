"""The device's end: what to offload, the connection to the server, and late results."""
