"""Arrows between folders run down, as core/docs/architecture.md draws them, and nothing uses itself in a circle.

A path in code (`use crate::log::Slot`, `super::…`) is an arrow from one file to another. Tests are left out.
"""

import pathlib
import re
import sys

ARCHITECTURE = pathlib.Path("core/docs/architecture.md")
# Files of one folder that may use each other, because they share one type.
SIBLINGS = [{"wire::error", "wire::error_table"}]

COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|b?"(?:\\.|[^"\\])*"', re.S)
TESTS = re.compile(r"^( *)#\[cfg\((?:test|any\(test[^\n]*)\)\]\n(?: *#\[[^\n]*\n)*", re.M)
USE = re.compile(r"\buse\s+([^;]+);")
PATH = re.compile(r"\b(?:crate|super|self|[a-z_]\w*)(?:::\w+)+")


def without_tests(code):
    """Cuts each item behind `#[cfg(test)]`: up to its semicolon, or to the brace at its own indentation."""
    while found := TESTS.search(code):
        rest = code[found.end() :]
        line = rest.split("\n", 1)[0]
        end = re.search(rf"^{found[1]}\}}\n?", rest, re.M)
        cut = len(line) + 1 if line.endswith((";", "}")) or not end else end.end()
        code = code[: found.start()] + rest[cut:]
    return code


def leaves(tree):
    """The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    tree = tree.strip()
    found = re.fullmatch(r"([\w:]*?)(?:::)?\{(.*)\}", tree, re.S)
    if not found:
        return [tree.split(" as ")[0]] if tree else []
    parts, depth = [""], 0
    for sign in found[2]:
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [f"{found[1]}::{leaf}" for part in parts for leaf in leaves(part)]


def is_test(path):
    return path.stem.endswith("_test") or any(p == "tests" or p.endswith("_test") for p in path.parts)


class Crate:
    """The files of a crate by the paths of their modules, and the arrows between them."""

    def __init__(self, root):
        self.files = {}
        for path in sorted(pathlib.Path(root).rglob("*.rs")):
            inside = path.relative_to(root)
            if not is_test(inside):
                parts = inside.with_suffix("").parts
                self.files[parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts] = path
        self.code = {
            module: COMMENT.sub("", without_tests(path.read_text(encoding="utf-8")))
            for module, path in self.files.items()
        }
        self.shown = {}
        for module, code in self.code.items():
            for tree in re.findall(r"\bpub(?:\([\w: ]+\))? use\s+([^;]+);", code):
                for path in leaves(tree):
                    self.shown[(*module, path.split("::")[-1])] = self.absolute(module, path)
        self.arrows = {}
        for module, code in self.code.items():
            paths = [leaf for tree in USE.findall(code) for leaf in leaves(tree)]
            for path in paths + PATH.findall(USE.sub("", code)):
                target = self.target(self.absolute(module, path))
                if target and target != module:
                    self.arrows.setdefault((module, target), path)

    def absolute(self, module, path):
        """The path from the crate's root; `None`: it leads out of the crate."""
        parts = path.split("::")
        if parts[0] == "crate":
            return tuple(parts[1:])
        if parts[0] == "self":
            return module + tuple(parts[1:])
        if parts[0] == "super":
            while parts and parts[0] == "super":
                module, parts = module[:-1], parts[1:]
            return module + tuple(parts)
        return module + tuple(parts) if (*module, parts[0]) in self.files else None

    def target(self, path):
        """The file that a path leads to, also where a folder's front page shows it."""
        seen = set()
        while path is not None and path not in seen:
            seen.add(path)
            length = max(n for n in range(len(path) + 1) if path[:n] in self.files or n == 0)
            shown = self.shown.get(path[: length + 1])
            if shown is None:
                return path[:length]
            path = shown + path[length + 1 :]
        return None

    def between_folders(self):
        """The first arrow from each folder at the top to each other one."""
        found = {}
        for (source, target), path in self.arrows.items():
            if source and target and source[0] != target[0]:
                found.setdefault((source[0], target[0]), f"{self.files[source]}: {path}")
        return found


def circles(arrows):
    """The sets of names that can each be reached from each other."""
    near = {}
    for source, target in arrows:
        near.setdefault(source, set()).add(target)

    def reached(start):
        todo, seen = [start], set()
        while todo:
            for name in near.get(todo.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return seen

    far = {name: reached(name) for name in near}
    return {
        frozenset(other for other in far[name] if name in far.get(other, ()))
        for name in near
        if name in far[name]
    }


def of_folders(root, allowed=()):
    found = Crate(root).between_folders()
    for circle in circles(found):
        inside = {pair: where for pair, where in found.items() if set(pair) <= circle}
        for (source, target), where in sorted(inside.items()):
            if (target, source) in inside and {source, target} not in allowed:
                yield f"{root}: {source} uses {target}, and {target} uses {source}: {where}"
        if not any((target, source) in inside for source, target in inside):
            yield f"{root}: a circle of {', '.join(sorted(circle))}: {'; '.join(inside.values())}"


def drawn():
    """The step of each folder of core, from the line of arrows in the architecture."""
    line = next(line for line in ARCHITECTURE.read_text(encoding="utf-8").splitlines() if line.startswith("base ←"))
    steps = [part.split(",") for part in line.split("←")]
    return {name.strip(): step for step, names in enumerate(steps) for name in names}


wrong = [
    *of_folders("core/src"),
    *of_folders("runtime-std/src", allowed=[{"host", "reactor"}]),
]
core, steps = Crate("core/src"), drawn()
for module, path in core.files.items():
    if module and module[0] not in steps and module[0] not in ("testing", "lib"):
        wrong.append(f"{path}: {module[0]} is missing among the layers in {ARCHITECTURE}")
for (source, target), where in core.between_folders().items():
    if source in steps and target in steps and steps[source] <= steps[target]:
        wrong.append(f"{where}: {source} must not use {target}: {ARCHITECTURE} has {target} beside or above it")
# A folder's front page and its files belong together; other files of core form no circle.
beside = {
    pair: where for pair, where in core.arrows.items() if pair[0] != pair[1][: len(pair[0])] and pair[1] != pair[0][: len(pair[1])]
}
for circle in circles(beside):
    names = {"::".join(module) for module in circle}
    if not any(names <= siblings for siblings in SIBLINGS):
        wrong.append(f"files use each other in a circle: {', '.join(sorted(names))}")

if wrong:
    sys.exit("failed:\n  " + "\n  ".join(sorted(set(wrong))))
print(f"{len(core.files)} files of core in {len(steps)} layers, no circle")
