"""Imports the Python client made from the contract and compares it with the document.

The generator leaves out what it cannot express, so a client that imports is not proof enough: every operation must have
its module and every object or enumeration its class. Usage: python_client.py DOCUMENT FOLDER_HOLDING_THE_PACKAGE PACKAGE
"""

import importlib
import json
import pkgutil
import re
import sys


def folded(name: str) -> str:
    """The generator changes case and underscores of names; nothing else."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def main() -> int:
    document_path, folder, package_name = sys.argv[1:]
    sys.path.insert(0, folder)
    package = importlib.import_module(package_name)
    modules = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package_name}.")]
    for module in modules:
        importlib.import_module(module)

    with open(document_path, encoding="utf-8") as file:
        document = json.load(file)
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in {"get", "put", "post", "delete", "patch"}
    ]
    schemas = [
        schema.get("title", name)
        for name, schema in document["components"]["schemas"].items()
        if schema.get("type") == "object" or "enum" in schema
    ]

    made_operations = {folded(m.rsplit(".", 1)[1]) for m in modules if f"{package_name}.api." in m}
    made_schemas = {folded(name) for name in dir(importlib.import_module(f"{package_name}.models"))}
    missing = [f"operation {o}" for o in operations if folded(o) not in made_operations]
    missing += [f"schema {s}" for s in schemas if folded(s) not in made_schemas]
    missing += [f"schema title used twice: {s}" for s in sorted(set(schemas)) if schemas.count(s) > 1]
    for line in missing:
        print(f"the Python client lacks: {line}")
    print(f"{len(modules)} modules imported, {len(operations)} operations, {len(schemas)} schemas, {len(missing)} missing")
    return 1 if missing or not operations else 0


if __name__ == "__main__":
    sys.exit(main())
