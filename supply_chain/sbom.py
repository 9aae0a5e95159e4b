"""The list of components (SBOM) as CycloneDX 1.6: `python -m supply_chain.sbom > sbom.json`.

`make lock` writes it to supply_chain/sbom.cdx.json. It says what the locks say, no more: the same
locks give the same bytes, so it has no date and no licences (NOTICE names those that matter).
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from typing import Any

from supply_chain.pins import FOLDER, ROOTS, Pin, read

FILE = FOLDER / "sbom.cdx.json"


def components() -> dict[str, Any]:
    """Every package of the locks, and which needs which."""
    pins = read(FOLDER / "all.lock") + read(FOLDER / "cuda.lock")
    server = {(pin.name, pin.version) for pin in read(FOLDER / "serve.lock")}
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    ours = {key: project["project"][key] for key in ("name", "version")}
    root = f"pkg:generic/{ours['name']}@{ours['version']}"
    stated = "".join(str(pin) for pin in pins)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, root + stated)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                **ours,
                "licenses": [{"license": {"id": project["project"]["license"]["text"]}}],
            }
        },
        "components": [_component(pin, (pin.name, pin.version) in server) for pin in pins],
        "dependencies": [
            {"ref": root, "dependsOn": [reference(pin) for pin in pins if ROOTS & set(pin.via)]}
        ]
        + [
            {
                "ref": reference(one),
                "dependsOn": [reference(pin) for pin in pins if one.name in pin.via],
            }
            for one in pins
        ],
    }


def reference(pin: Pin) -> str:
    """A package's URL, its name in the list."""
    return f"pkg:pypi/{pin.name}@{pin.version}"


def _component(pin: Pin, served: bool) -> dict[str, Any]:
    """`required` is what a server runs with; the rest trains, evaluates, tests and documents."""
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference(pin),
        "name": pin.name,
        "version": pin.version,
        "scope": "required" if served else "optional",
        "purl": reference(pin),
    }
    if pin.marker:
        component["properties"] = [{"name": "marker", "value": pin.marker}]
    return component


if __name__ == "__main__":
    sys.stdout.write(json.dumps(components(), indent=1) + "\n")
