"""The device's side of offloading: when to ask the cloud, and how."""
