"""The figures, one file each: what is measured, how, and against what."""
