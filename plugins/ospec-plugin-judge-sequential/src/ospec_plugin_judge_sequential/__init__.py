"""ospec's sequential judge."""
