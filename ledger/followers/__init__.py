"""Events that follow from events: the clock."""
