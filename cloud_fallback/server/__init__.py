"""The service: sockets in `connection`, frames to batches in `batcher`, who may in `auth`."""
