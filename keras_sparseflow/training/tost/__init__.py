"""ToST: ghosts that fade while a network trains, and rescaled initial weights."""
