"""Import from other systems, by mapping."""
