"""Golden bytes: formats that must be read for ever."""
