"""What would differ if another policy had ruled the past."""
