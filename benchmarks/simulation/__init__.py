"""A discrete-event simulation of the video service, and the measurements that it runs on."""
