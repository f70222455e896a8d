"""Telling people: from the records of a run to notices, to the channels that they belong to, and there."""
