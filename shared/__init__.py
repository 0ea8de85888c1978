"""Everything the functions share: ships as the shared layer, imported as `shared` in Lambda and in tests alike."""
