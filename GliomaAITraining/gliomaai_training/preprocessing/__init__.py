"""From native images to one grid, and the way back."""
