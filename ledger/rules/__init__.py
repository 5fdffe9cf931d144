"""Life cycles: which moves apply, and what becomes of an entity. Pure."""
