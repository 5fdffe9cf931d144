"""Figures: what is counted of each entity, the cells that hold the counts, and the definitions that are made of them."""
