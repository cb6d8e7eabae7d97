"""Truth and budget of a whole array at once: ball arithmetic on NumPy arrays, for the cases that it can decide."""
