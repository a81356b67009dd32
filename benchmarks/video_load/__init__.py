"""What a server of uploaded videos is loaded with: clips, live frames, open streams."""
