"""The right wheel from an HPC site's wheelhouse, with stock pip and uv.

::

    site = Site.load()
    host = detect_host()
    for directory in site.search_path(host):
        print(directory.path)
    print(Wheelhouse(site).pick("numpy>=1.20", host).best)
    print(pip_config(site, host).render("ini"))

The names in `__all__` are stable; everything else in this package may change in any release. They are
imported when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse_resolver.audit.findings import Finding, FindingKind, Severity
    from wheelhouse_resolver.builder.classification.classify import Classification, ClassifyError, classify
    from wheelhouse_resolver.builder.recipes.model import Test
    from wheelhouse_resolver.builder.records.record import BuildRecord, Phase
    from wheelhouse_resolver.builder.verification.verify import (
        FailedCheck,
        NoEmulatorError,
        Verification,
        VerifyOptions,
        verify,
    )
    from wheelhouse_resolver.errors import (
        CpuinfoError,
        FileProblemError,
        InvalidRequirementError,
        InvalidSiteError,
        NoWheelhouseError,
        OutputError,
        PythonError,
        RequirementsFileError,
        SiteFileError,
        TooComplexError,
        UnknownArchError,
        UnknownLayerError,
        UnknownNameError,
        UnreadableDirectoryError,
        UnreadableWheelError,
        UnsafeValueError,
        WheelhouseError,
    )
    from wheelhouse_resolver.explain.answer import Answer, Verdict
    from wheelhouse_resolver.explain.suggestions import Action, Step, Suggestion
    from wheelhouse_resolver.host.cpu import Cpu
    from wheelhouse_resolver.host.detect import Host, Machine, detect_host
    from wheelhouse_resolver.host.layer import Evidence
    from wheelhouse_resolver.host.target_python import Answers, Interpreter, TargetPython
    from wheelhouse_resolver.installers.pip_config import PipConfig, Setting, pip_config
    from wheelhouse_resolver.publishing.errors import AfterHookError, PublishError
    from wheelhouse_resolver.publishing.plan import PublishOptions
    from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport
    from wheelhouse_resolver.resolution.conflict import Asked, Conflict, Demand, Exists
    from wheelhouse_resolver.resolution.lockfile import lock_text
    from wheelhouse_resolver.resolution.resolver import Locked, Resolution
    from wheelhouse_resolver.selection.available import Listing, Row, Scope
    from wheelhouse_resolver.selection.pick import Pick
    from wheelhouse_resolver.selection.reasons import Exclusion, FileStatus, Rule
    from wheelhouse_resolver.selection.requirements import Requirement
    from wheelhouse_resolver.site.layout import Arch, Directory, HostKind, Layer, SearchPath
    from wheelhouse_resolver.site.model import SearchingHost, Site
    from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
    from wheelhouse_resolver.wheelfile.build_tag import StampError
    from wheelhouse_resolver.wheelfile.validate import InvalidWheelError
    from wheelhouse_resolver.wheelhouse import Wheelhouse

    __version__: str

__all__ = [
    "Action",
    "AfterHookError",
    "Answer",
    "Answers",
    "Arch",
    "Asked",
    "BuildRecord",
    "Candidate",
    "Classification",
    "ClassifyError",
    "Conflict",
    "Cpu",
    "CpuinfoError",
    "Demand",
    "Directory",
    "Evidence",
    "Exclusion",
    "Exists",
    "FailedCheck",
    "FileChange",
    "FileProblemError",
    "FileStatus",
    "Finding",
    "FindingKind",
    "Host",
    "HostKind",
    "Interpreter",
    "InvalidFilename",
    "InvalidRequirementError",
    "InvalidSiteError",
    "InvalidWheelError",
    "Layer",
    "Listing",
    "Locked",
    "Machine",
    "NoEmulatorError",
    "NoWheelhouseError",
    "OutputError",
    "Phase",
    "Pick",
    "PipConfig",
    "PublishError",
    "PublishObserver",
    "PublishOptions",
    "PublishReport",
    "PythonError",
    "Requirement",
    "RequirementsFileError",
    "Resolution",
    "Row",
    "Rule",
    "Scope",
    "SearchPath",
    "SearchingHost",
    "Setting",
    "Severity",
    "Site",
    "SiteFileError",
    "StampError",
    "Step",
    "Suggestion",
    "TargetPython",
    "Test",
    "TooComplexError",
    "UnknownArchError",
    "UnknownLayerError",
    "UnknownNameError",
    "UnreadableDirectoryError",
    "UnreadableWheelError",
    "UnsafeValueError",
    "Verdict",
    "Verification",
    "VerifyOptions",
    "Wheelhouse",
    "WheelhouseError",
    "classify",
    "detect_host",
    "lock_text",
    "pip_config",
    "verify",
]

#: Module -> the public names that it has.
_MODULES = {
    "audit.findings": "Finding FindingKind Severity",
    "builder.classification.classify": "Classification ClassifyError classify",
    "builder.recipes.model": "Test",
    "builder.records.record": "BuildRecord Phase",
    "builder.verification.verify": "FailedCheck NoEmulatorError Verification VerifyOptions verify",
    "errors": (
        "CpuinfoError FileProblemError InvalidRequirementError InvalidSiteError NoWheelhouseError "
        "OutputError PythonError RequirementsFileError SiteFileError TooComplexError UnknownArchError "
        "UnknownLayerError UnknownNameError UnreadableDirectoryError UnreadableWheelError "
        "UnsafeValueError WheelhouseError"
    ),
    "explain.answer": "Answer Verdict",
    "explain.suggestions": "Action Step Suggestion",
    "host.cpu": "Cpu",
    "host.detect": "Host Machine detect_host",
    "host.layer": "Evidence",
    "host.target_python": "Answers Interpreter TargetPython",
    "installers.pip_config": "PipConfig Setting pip_config",
    "publishing.errors": "AfterHookError PublishError",
    "publishing.plan": "PublishOptions",
    "publishing.report": "FileChange PublishObserver PublishReport",
    "resolution.conflict": "Asked Conflict Demand Exists",
    "resolution.lockfile": "lock_text",
    "resolution.resolver": "Locked Resolution",
    "selection.available": "Listing Row Scope",
    "selection.pick": "Pick",
    "selection.reasons": "Exclusion FileStatus Rule",
    "selection.requirements": "Requirement",
    "site.layout": "Arch Directory HostKind Layer SearchPath",
    "site.model": "SearchingHost Site",
    "tree.candidate": "Candidate InvalidFilename",
    "wheelfile.build_tag": "StampError",
    "wheelfile.validate": "InvalidWheelError",
    "wheelhouse": "Wheelhouse",
}

_ROOMS = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("wheelhouse-resolver")
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
