"""The offload service: HTTP routes and websockets in front of one model."""
