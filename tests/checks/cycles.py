#!/usr/bin/env python3
"""No two files import each other in a circle: headers of the core, modules of the
Python package, modules of the Rust crates. (C# has no imports between files.)

Imports inside functions count as well as those at the top; those for type checkers
alone do not. In Rust every `crate::` and `super::` path counts; the crate's root, which
declares the modules and publishes their names, is not one of them.
"""
import ast
import pathlib
import re
import sys

from common import ROOT, report


def headers():
    graph = {}
    for path in sorted(ROOT.glob("core/**/*.h")) + sorted(ROOT.glob("capi/*.h")):
        name = path.relative_to(ROOT).as_posix()
        graph[name] = set(re.findall(r'^#include "([^"]+)"', path.read_text("utf-8"), re.M))
    return graph


def runtime_imports(tree):
    """The import statements, without those below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        yield from runtime_imports(node)


def python():
    package = ROOT / "bindings/python/src/bitnet_quant"
    names = {path.stem: path for path in package.glob("*.py")}
    graph = {}
    for name, path in names.items():
        graph[name] = set()
        for node in runtime_imports(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                # `from . import a, b` or `from .a import x`.
                found = [node.module.split(".")[0]] if node.module else [
                    alias.name if alias.name in names else "__init__" for alias in node.names]
                graph[name].update(found)
            elif isinstance(node, ast.ImportFrom) and node.module == package.name:
                graph[name].add("__init__")
    return graph


def rust(crate):
    source = ROOT / "bindings/rust" / crate / "src"
    graph = {}
    for path in sorted(source.glob("**/*.rs")):
        parts = path.relative_to(source).with_suffix("").parts
        if parts == ("lib",):
            continue
        # `file/reader.rs` is the module file::reader, `file/mod.rs` is file.
        module = parts[:-1] if parts[-1] == "mod" else parts
        graph["::".join(module)] = (module, rust_paths(path.read_text("utf-8"), module))
    modules = set(graph)

    def resolve(path):
        """The longest module that the path begins with."""
        for size in range(len(path), 0, -1):
            if "::".join(path[:size]) in modules:
                return "::".join(path[:size])
        return None

    return {name: {resolve(path) for path in paths} - {None, name}
            for name, (_, paths) in graph.items()}


def rust_paths(text, module):
    """Every path from crate:: or super:: on, as tuples; braces are opened."""
    text = re.sub(r"//.*", "", text)
    text = re.sub(r"#\[cfg\(test\)\].*", "", text, flags=re.DOTALL)  # tests are at the end
    for start in re.finditer(r"\b(crate|super)::", text):
        base = () if start.group(1) == "crate" else module[:-1]
        rest = text[start.end():]
        if rest.startswith("{"):
            depth, end = 0, 0
            for end, character in enumerate(rest):
                depth += (character == "{") - (character == "}")
                if depth == 0:
                    break
            for name in re.findall(r"(?:^|[{,])\s*([\w:]+)", rest[:end]):
                yield base + tuple(name.strip(":").split("::"))
        else:
            yield base + tuple(re.match(r"[\w:]+", rest).group().strip(":").split("::"))


def circles(graph):
    """The strongly connected components of more than one node, and self-imports."""
    def reachable(start):
        seen, todo = set(), list(graph.get(start, ()))
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo.extend(graph.get(node, ()))
        return seen

    reach = {node: reachable(node) for node in graph}
    found = {frozenset(other for other in graph if node in reach[other] and other in reach[node])
             for node in graph if node in reach[node]}
    return sorted(sorted(circle) for circle in found)


def main():
    graphs = {"core": headers(), "bindings/python": python()}
    for crate in ("bitnet-quant-sys", "bitnet-quant"):
        graphs[f"bindings/rust/{crate}"] = rust(crate)
    problems = []
    for name, graph in graphs.items():
        if not graph:
            problems.append(f"{name}: no files were found")
        problems += [f"{name}: a circle of {', '.join(circle)}" for circle in circles(graph)]
    sys.exit(report(problems))


if __name__ == "__main__":
    main()
