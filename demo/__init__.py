"""A tour that checks itself: the main job, played against real processes on loopback."""
