"""What ToST does while a network trains, and to its initial weights."""
