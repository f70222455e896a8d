"""Write ospec.toml.example from the model of documents. Usage: python tools/document_example.py"""

from __future__ import annotations

from pathlib import Path

from ospec.stages.example import example_toml

if __name__ == "__main__":
    (Path(__file__).parents[1] / "ospec.toml.example").write_text(example_toml(), encoding="utf-8")
