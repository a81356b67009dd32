"""Detection: one frame to detections, and frames to detections on all cores."""
