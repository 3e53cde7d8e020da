"""What the house's layout promises of its files."""

import pathlib
import re
import sys

LINES = 500
FIELDS = 12
# Configurations and formats: each field is one of the format, and is read and written by its name.
WIDE = {
    "core/src/config/mod.rs": "a configuration",
    "core/src/history/record.rs": "a line of the usage history",
    "core/src/licence/form.rs": "keys of a licence file",
    "core/src/licence/part.rs": "properties of a product in a licence file",
    "core/src/status/mod.rs": "what /api/status says",
    "tests/model/plan.rs": "the configuration of the model",
}
# All that a runtime has of its own, in lines of code: no blank lines, comments or imports.
GLUE = {
    "runtime-std/src/threads.rs": 150,
    "runtime-smol/src/run.rs": 150,
    "runtime-std/examples/mio.rs": 250,
}

# A field is assigned beside others: `(self.a, self.b) = …`.
TUPLE = re.compile(r"^\s*\([^()=]*\.[^()=]*,[^()=]*\) = ")
STRUCT = re.compile(r"^ *(?:pub(?:\([\w: ]+\))? )?struct (\w+)[^;{(]*\{\n(.*?)^ *\}", re.M | re.S)
FIELD = re.compile(r"^ *(?:pub(?:\([\w: ]+\))? )?\w+: ", re.M)
STRINGLY = re.compile(r"^ *(pub fn \w+)[^{;]*-> Result<[^{;]*, String>", re.M)
CODE = re.compile(r"^(?!use )\s*(?!//)\S")

wrong = []
sources = [
    path
    for top in ("core", "runtime-std", "runtime-smol", "tests", "fuzz")
    for path in pathlib.Path(top).rglob("*.rs")
    if "target" not in path.parts
]
if not sources:
    wrong.append("no sources found")
for path in sources:
    length = len(path.read_text(encoding="utf-8").splitlines())
    if length > LINES:
        wrong.append(f"{path}: {length} lines, at most {LINES}")
    if path.as_posix() in GLUE:
        code = len([line for line in path.read_text(encoding="utf-8").splitlines() if CODE.match(line)])
        if code > GLUE[path.as_posix()]:
            wrong.append(f"{path}: {code} lines of code, at most {GLUE[path.as_posix()]}")
    text = path.read_text(encoding="utf-8")
    for name, body in STRUCT.findall(text):
        count = len(FIELD.findall(body))
        if count > FIELDS and path.as_posix() not in WIDE:
            wrong.append(f"{path}: {name} has {count} fields, at most {FIELDS}: group what belongs together")
    for number, line in enumerate(text.splitlines(), 1):
        if TUPLE.search(line):
            wrong.append(f"{path}:{number}: assigns several fields by a tuple")
    if path.as_posix().startswith("core/src/") and not path.stem.endswith("_test"):
        for signature in STRINGLY.findall(text.split("#[cfg(test)]\nmod ")[0]):
            wrong.append(f"{path}: {signature} is `Result<_, String>`: say with a type what is wrong and where")
wrong += [f"{path}: in a list of exceptions without need" for path in WIDE if not pathlib.Path(path).is_file()]
wrong += [f"{glue}: missing" for glue in GLUE if not pathlib.Path(glue).is_file()]

clippy = [
    path
    for name in ("clippy.toml", ".clippy.toml")
    for path in pathlib.Path(".").rglob(name)
    if "target" not in path.parts
]
if [path.as_posix() for path in clippy] != ["clippy.toml"]:
    wrong.append(f"expected one clippy.toml, at the top; found {[str(p) for p in clippy]}")

# `extern crate std` switches std on for a whole crate: in core only for its tests.
for path in pathlib.Path("core/src").rglob("*.rs"):
    text = path.read_text(encoding="utf-8")
    everywhere = len(re.findall(r"^\s*(?:pub )?extern crate std\b", text, re.M))
    in_tests = len(re.findall(r"^\s*#\[cfg\(test\)\]\n\s*extern crate std;", text, re.M))
    if everywhere != in_tests:
        wrong.append(f"{path}: `extern crate std` outside of tests")

# Files are made by host/create.rs alone, which follows no link; tests may make theirs as they like.
MADE = re.compile(r"fs::write\(|File::create\(|OpenOptions::new\(|\.create\(true\)|create_new\(")
for top in ("runtime-std/src", "runtime-smol/src"):
    for path in pathlib.Path(top).rglob("*.rs"):
        if path.as_posix().endswith(("host/create.rs", "_test.rs")):
            continue
        code = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod ")[0]
        for number, line in enumerate(code.splitlines(), 1):
            if MADE.search(line):
                wrong.append(f"{path}:{number}: makes a file, which host/create.rs is for")

# Operators filter by log topics, which therefore do not follow the paths of modules.
LOGGED = re.compile(r"tracing::(?:info|warn|error|debug|trace)!\((?!\s*target: \")")
for top in ("core/src", "runtime-std/src", "runtime-smol/src"):
    for path in pathlib.Path(top).rglob("*.rs"):
        code = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod ")[0]
        if LOGGED.search(code) and not path.stem.endswith("_test"):
            wrong.append(f"{path}: logs without a fixed topic (`target: \"…\"`)")

if wrong:
    sys.exit("failed:\n  " + "\n  ".join(wrong))
print(f"{len(sources)} source files in shape")
