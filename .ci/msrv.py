"""No dependency may ask for a later Rust than the workspace promises."""

import json
import subprocess
import sys


def version(text):
    return tuple(int(number) for number in (text.split(".") + ["0", "0"])[:3])


metadata = json.loads(
    subprocess.check_output(["cargo", "metadata", "--locked", "--format-version", "1"])
)
members = set(metadata["workspace_members"])
promised = {p["rust_version"] for p in metadata["packages"] if p["id"] in members}
if len(promised) != 1 or None in promised:
    sys.exit(f"failed: the members promise different Rust versions: {promised}")
(promise,) = promised
late = [
    f"{p['name']} {p['version']} needs Rust {p['rust_version']}"
    for p in metadata["packages"]
    if p["rust_version"] and version(p["rust_version"]) > version(promise)
]
if late:
    sys.exit(f"failed: the workspace promises Rust {promise}, but\n  " + "\n  ".join(late))
silent = sum(p["rust_version"] is None for p in metadata["packages"])
print(f"{len(metadata['packages'])} packages, none needs more than Rust {promise} ({silent} do not say)")
