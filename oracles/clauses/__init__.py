"""PyTorch's autograd contract as clauses that any library can be asked to hold."""
