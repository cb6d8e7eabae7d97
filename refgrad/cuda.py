"""What programs ask of `torch.cuda` before they go on without it."""


def is_available() -> bool:
    """Whether there is a CUDA device: never."""
    return False


def device_count() -> int:
    """The number of CUDA devices: none."""
    return 0


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all CUDA devices, of which there is none."""
