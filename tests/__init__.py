"""All tests. A package, so that no installed package named `tests` hides it."""
