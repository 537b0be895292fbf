"""What a package imports that is neither its own nor Python's."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path


def foreign_imports(package: Path) -> Iterator[tuple[str, str]]:
    """Each by the name of its file."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            tops = (name.partition(".")[0] for name in names)
            yield from ((path.name, top) for top in tops if top not in sys.stdlib_module_names)
