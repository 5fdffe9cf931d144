"""Import from other systems, by mapping: `run_import` is the door, docs/import.md says how mappings are written."""
