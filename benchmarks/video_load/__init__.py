"""Load for a server of uploaded videos: clips, live frames, open streams."""
