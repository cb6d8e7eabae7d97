"""PyTorch and a subject in lock step: random histories of a tape, compared after every step."""
