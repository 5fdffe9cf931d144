"""Keys, sealing and the vault: content that can be forgotten."""
