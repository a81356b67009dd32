"""The pages of uploaded videos: HTML that works without JavaScript, and better with it."""
