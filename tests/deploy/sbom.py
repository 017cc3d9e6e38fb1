"""Checks a software bill of materials against the schema of CycloneDX, and against `cargo tree`."""

import json
import subprocess
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main(file):
    text = Path(file).read_text()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert error is None, error
    bom = json.loads(text)
    program = bom["metadata"]["component"]
    packages = [of for of in bom["components"] if of["purl"].startswith("pkg:cargo/")]
    [target] = (of["value"] for of in bom["metadata"]["properties"] if of["name"].endswith(":target:triple"))

    listed = {named(of) for of in [program, *packages]}
    assert listed == tree("normal", target), listed ^ tree("normal", target)
    compiled_in = {named(of) for of in [program, *packages] if of["scope"] == "required"}
    without_macros = tree("normal,no-proc-macro", target)
    assert compiled_in == without_macros, compiled_in ^ without_macros
    assert len(compiled_in) > 100 and not {"proptest", "cc"} & {name for name, _ in listed}

    others = {of["name"]: of for of in bom["components"] if of not in packages}
    assert set(others) == {"sqlite", "rust-std", "swagger-ui-dist", "htmx.org"}, set(others)
    assert "cpe" in others["sqlite"] and "cpe" in others["rust-std"]
    assert others["htmx.org"]["purl"].startswith("pkg:npm/htmx.org@2.")
    for package in packages:
        assert package["licenses"], f"{package['name']} has no licence"
        assert package["hashes"], f"{package['name']} has no hash"
    assert str(Path.cwd()) not in text and "file:" not in text

    edges = {of["ref"]: of.get("dependsOn", []) for of in bom["dependencies"]}
    refs = {of["bom-ref"] for of in [program, *bom["components"]]}
    assert set(edges) == refs
    assert others["swagger-ui-dist"]["bom-ref"] in edges[program["bom-ref"]]
    assert {"pkg:cargo/rusqlite@" in ref for ref in edges[program["bom-ref"]]} == {True, False}
    [binding] = (ref for ref in refs if ref.startswith("pkg:cargo/libsqlite3-sys@"))
    assert others["sqlite"]["bom-ref"] in edges[binding]


def named(component):
    return component["name"], component["version"]


def tree(edges, target):
    command = ["cargo", "tree", "--locked", "--target", target, "--edges", edges, "--prefix", "none"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, lines)}


main(sys.argv[1])
