"""Truth: the true gradient of a case, enclosed in ball arithmetic, from SymPy's derivatives of the meanings."""
