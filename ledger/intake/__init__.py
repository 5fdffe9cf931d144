"""What a caller appends, checked and made whole before it is recorded."""
