"""`python -m wheelhouse_resolver`."""

from __future__ import annotations

from wheelhouse_resolver.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
