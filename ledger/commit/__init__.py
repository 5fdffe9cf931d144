"""From events that were received to events that are recorded: subjects, decision, group commit."""
