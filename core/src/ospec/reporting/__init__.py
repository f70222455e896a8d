"""The page of a run: everything that its journal tells, drawn for people. Pure but for reading its own templates."""
