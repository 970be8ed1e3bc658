"""Writing what a wheel was made from as an SBOM: CycloneDX 1.6, by its own library (extra `build`).

The same provenance gives the same bytes: there is no time stamp in it, and its serial number is made from the
rest.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from wheelhouse_resolver.errors import MissingExtraError, printable
from wheelhouse_resolver.wheelfile.provenance import OWN, PROPERTIES, Provenance

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference, Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

#: What a URL is made of; anything else is percent-encoded (RFC 3986).
_OF_URLS = "%/:=&?~#+!$,;'@()*[]"


def check_writable() -> None:
    """Raise `MissingExtraError` where the library is missing: before anything is built."""
    if find_spec("cyclonedx") is None:
        raise MissingExtraError("the SBOM in each wheel", "cyclonedx-python-lib", "build")


def sbom_text(provenance: Provenance) -> bytes:
    """The SBOM that says *provenance*. Raises `MissingExtraError`."""
    check_writable()
    from cyclonedx.output.json import JsonV1Dot6

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a wheel loads no library is no mistake
        document: dict[str, Any] = json.loads(JsonV1Dot6(_bom(provenance)).output_as_string())
    # The library always writes these, as of now and at random.
    del document["metadata"]["timestamp"], document["serialNumber"]
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = uuid5(NAMESPACE_URL, f"{OWN}:{content}").urn
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")


def _bom(provenance: Provenance) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository

    taken = provenance.origin == "distribution"
    program = Component(type=ComponentType.APPLICATION, name=OWN, version=provenance.program, bom_ref=OWN)
    itself = _package(provenance.project, provenance.version)
    itself.external_references = _source(provenance)
    components = [*_components(provenance)]
    bom = Bom(
        components=components,
        metadata=BomMetaData(
            component=itself,
            lifecycles=[PredefinedLifecycle(LifecyclePhase.POST_BUILD if taken else LifecyclePhase.BUILD)],
            tools=ToolRepository(components=[program]),
            properties=_properties(_said(provenance)),
            timestamp=datetime.fromtimestamp(0, timezone.utc),
        ),
    )
    loaded = [each for each in components if each.scope is not None and each.scope.value == "required"]
    bom.register_dependency(itself, loaded)
    return bom


def _said(provenance: Provenance) -> dict[str, str]:
    """The properties of the document."""
    notes = enumerate(provenance.notes, 1)
    return {
        **{name: getattr(provenance, name) for name in PROPERTIES},
        "source": provenance.source if provenance.source != _url(provenance.source) else "",
        "modules": " ".join(provenance.modules),
        **{f"flags:{name}": text for name, text in provenance.flags.items()},
        **{f"environ:{name}": text for name, text in provenance.environ.items()},
        **{f"note:{number:02}": text for number, text in notes},
    }


def _properties(said: Mapping[str, str]) -> list[Property]:
    from cyclonedx.model import Property

    return [Property(name=f"{OWN}:{name}", value=printable(text)) for name, text in said.items() if text]


def _source(provenance: Provenance) -> list[ExternalReference]:
    """Where the wheel's source is, or itself."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri

    if not provenance.source:
        return []
    digest = provenance.source_sha256
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else []
    kind = ExternalReferenceType(provenance.origin)
    return [ExternalReference(type=kind, url=XsUri(_url(provenance.source)), hashes=hashes)]


def _url(source: str) -> str:
    """*source* as a URL, or relative to one: git takes paths and HOST:PATH as well."""
    place = source.removeprefix("git+")
    if place != source and "://" not in place:
        host, colon, path = place.partition(":")
        is_host = bool(colon) and "/" not in host
        source = f"git+ssh://{host}/{path.lstrip('/')}" if is_host else f"git+file://{place}"
    return quote(source, safe=_OF_URLS, errors="surrogateescape")


def _components(provenance: Provenance) -> Iterator[Component]:
    """What it loads (required), and what it was built with (excluded: not part of it)."""
    from cyclonedx.model.component import Component, ComponentScope, ComponentType

    for each in provenance.libraries:
        yield Component(
            type=ComponentType.LIBRARY,
            name=printable(each.name),
            bom_ref=printable(f"library:{each.name}:{each.path}"),
            scope=ComponentScope.REQUIRED,
            properties=_properties({"kind": "library", "path": each.path, "module": each.module}),
        )
    for name, version in provenance.tools.items():
        yield Component(
            type=ComponentType.APPLICATION,
            name=name,
            version=printable(version),
            bom_ref=f"tool:{name}",
            scope=ComponentScope.EXCLUDED,
            properties=_properties({"kind": "tool"}),
        )
    for name, version in provenance.packages.items():
        package = _package(name, version, "package:")
        package.scope = ComponentScope.EXCLUDED
        package.properties = _properties({"kind": "package"})
        yield package


def _package(name: str, version: str, prefix: str = "") -> Component:
    """The Python project *name*, with its package URL."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    url = PackageURL("pypi", None, name, version)
    reference = f"{prefix}{url}"
    return Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=reference)
