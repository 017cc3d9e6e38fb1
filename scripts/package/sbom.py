"""Prints the software bill of materials of a program, as CycloneDX JSON: what is compiled into it.

    sbom.py PROGRAM     # in the folder of the Cargo.toml that it was built from

Packages and their dependencies are those of `cargo tree -e normal`. `cargo metadata` alone lists more: it
enables features that only tests need, and optional dependencies of features that are off. Macros run when
the program is compiled and are not part of it, so their scope is "excluded". SQLite and Rust's library,
which are no packages of Cargo, are taken from the program's --version.
The same commit gives the same bytes: the time is SOURCE_DATE_EPOCH, and the serial number follows from
the rest.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import datetime, timezone
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def main(program):
    build = read_version(program)
    names, edges = read_tree(build["target"])
    facts, checksums = read_metadata(build["target"]), read_checksums()
    root = names[0]
    components = {name: component(facts[name], checksums.get(name)) for name in names}
    for name in set(names) - reachable(root, edges, facts):
        components[name].scope = ComponentScope.EXCLUDED
    components[root].type = ComponentType.APPLICATION

    sqlite = library("sqlite", build["SQLite"], "blessing", "cpe:2.3:a:sqlite:sqlite:{}:*:*:*:*:*:*:*")
    compiler = re.fullmatch(r"rustc (\S+) .*", build["compiler"])[1]
    std = library("rust-std", compiler, "MIT OR Apache-2.0", "cpe:2.3:a:rust-lang:rust:{}:*:*:*:*:*:*:*")

    # Scripts that pages load, which no package of Cargo has.
    swagger = library("swagger-ui-dist", read_release("src/http/admin/docs/mod.rs"), "Apache-2.0", kind="npm")
    htmx = library("htmx.org", read_release("src/http/pages/frame/assets/mod.rs"), "0BSD", kind="npm")

    others = [sqlite, std, swagger, htmx]
    bom = Bom(components=[*(components[name] for name in names[1:]), *others])
    bom.metadata.component = components[root]
    # The name that CycloneDX's own generator for Cargo gives it.
    bom.metadata.properties.add(Property(name="cdx:rustc:sbom:target:triple", value=build["target"]))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    for name in names:
        bom.register_dependency(components[name], [components[other] for other in edges[name]])
    [binding] = (name for name in names if name[0] == "libsqlite3-sys")
    bom.register_dependency(components[binding], [sqlite])
    bom.register_dependency(components[root], [std, swagger, htmx])
    bom.serial_number = uuid5(NAMESPACE_URL, without_serial_number(bom))
    print(JsonV1Dot6(bom).output_as_string(indent=1))


def read_version(program):
    """The lines of --version, such as {"SQLite": "3.53.2", …}."""
    text = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return dict(re.split(r":\s+", line, maxsplit=1) for line in text.splitlines()[1:])


def read_tree(target):
    """The packages, each as its name and version, the program's own first; and what each depends on."""
    text = cargo("tree", "--target", target, "--edges", "normal", "--prefix", "depth", "--format", "{p}")
    names, edges, path = [], {}, []
    for line in text.splitlines():
        depth, name, version = re.match(r"(\d+)(\S+) v(\S+)", line).groups()
        package = (name, version)
        if package not in edges:
            names.append(package)
            edges[package] = set()
        del path[int(depth) :]
        if path:
            edges[path[-1]].add(package)
        path.append(package)
    return names, edges


def read_metadata(target):
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
    return {(package["name"], package["version"]): package for package in metadata["packages"]}


def read_checksums():
    with open("Cargo.lock", "rb") as file:
        packages = tomllib.load(file)["package"]
    return {(of["name"], of["version"]): of["checksum"] for of in packages if "checksum" in of}


def cargo(command, *arguments):
    line = ["cargo", command, "--locked", *arguments]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def reachable(root, edges, facts):
    """What is compiled into the program: all but macros, and what only macros depend on."""
    found, ahead = set(), [root]
    while ahead:
        package = ahead.pop()
        is_macro = any("proc-macro" in target["kind"] for target in facts[package]["targets"])
        if package not in found and not is_macro:
            found.add(package)
            ahead.extend(edges[package])
    return found


def component(fact, checksum):
    purl = PackageURL("cargo", name=fact["name"], version=fact["version"])
    repository = fact["repository"] and ExternalReference(
        type=ExternalReferenceType.VCS, url=XsUri(fact["repository"])
    )
    return Component(
        name=fact["name"],
        version=fact["version"],
        type=ComponentType.LIBRARY,
        scope=ComponentScope.REQUIRED,
        bom_ref=str(purl),
        purl=purl,
        description=fact["description"] and " ".join(fact["description"].split()),
        # Older crates separate alternatives by a slash.
        licenses=[LicenseExpression(fact["license"].replace("/", " OR "))] if fact["license"] else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
        external_references=[repository] if repository else [],
    )


def read_release(path):
    """The release of a script, from the comment above it: "release 5.32.6" or "htmx 2.0.10"."""
    return re.search(r"//[/!].*\b(?:release|htmx) (\d+\.\d+\.\d+)", Path(path).read_text())[1]


def library(name, version, licence, cpe=None, kind="generic"):
    purl = PackageURL(kind, name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        scope=ComponentScope.REQUIRED,
        bom_ref=str(purl),
        purl=purl,
        cpe=cpe and cpe.format(version),
        licenses=[LicenseExpression(licence)],
    )


def without_serial_number(bom):
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    del content["serialNumber"]
    return json.dumps(content, sort_keys=True)


main(sys.argv[1])
