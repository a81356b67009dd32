"""Offloading: frames of a device to a bigger model on a server, and detections back.

`wire` is the protocol without I/O, `client` the device's end with the policy that decides per
frame, `server` the service, `cluster` the service on many machines (Ray).
"""
