"""The nouns of ospec: frozen attrs classes that hold no secret value and round-trip through JSON."""
