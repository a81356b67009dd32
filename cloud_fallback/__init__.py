"""When the device is too small: frames to a bigger model over a secured websocket, and back.

`protocol` (the wire) and `streams` (what each end remembers) do no I/O; `client` and `server`
are the shells around them; `policy` decides, frame by frame, what is worth sending.
"""
