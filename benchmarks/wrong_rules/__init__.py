"""Wrong rules made mechanically from the formulas of the engine, and who notices them."""
