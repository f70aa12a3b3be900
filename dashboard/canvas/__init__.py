"""The map's canvas: what is painted, how much of it, and what lies over it."""
