"""Views: what the events add up to, at any position and time."""
