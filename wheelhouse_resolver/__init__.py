"""The right wheel from an HPC site's wheelhouse, with stock pip and uv.

::

    site = Site.load()
    host = detect_host()
    for directory in site.search_path(host):
        print(directory.path)
    print(Wheelhouse(site).pick("numpy>=1.20", host).best)
    print(pip_config(site, host).render("ini"))

The names in `__all__` are stable; everything else in this package may change in any release. They are
imported when first used, so that importing the package costs next to nothing. Type checkers read
`__init__.pyi`.
"""

from __future__ import annotations

#: Module -> the public names that it has.
_MODULES = {
    "audit.findings": "Finding FindingKind Severity",
    "builder.classification.classify": "Classification ClassifyError classify",
    "builder.fetch": "FetchOptions FetchedWheel fetch",
    "builder.records.record": "BuildRecord Phase",
    "builder.records.upstream": "WheelAdaptation",
    "builder.verification.verify": "FailedCheck NoEmulatorError Verification",
    "builder.verification.wheels": "VerifyOptions verify",
    "errors": (
        "CpuinfoError DirectRequirementsError FileProblemError InvalidRequirementError InvalidSiteError "
        "MissingExtraError NoWheelhouseError OsReleaseError OutputError PythonError RequirementsFileError "
        "SiteFileError TooComplexError UnknownArchError UnknownLayerError UnknownNameError "
        "UnreadableDirectoryError UnreadableWheelError UnsafeValueError WheelhouseError"
    ),
    "explain.answer": "Answer Verdict",
    "explain.suggestions": "Action Step Suggestion",
    "host.cpu": "Cpu",
    "host.detect": "Host Machine detect_host probe_machine",
    "host.layer": "Evidence",
    "host.program_interpreter": "Interpreter",
    "host.python_probe": "Answers",
    "host.target_python": "TargetPython",
    "installers.pip_config": "PipConfig Setting pip_config",
    "publishing.errors": "AfterHookError PublishError",
    "publishing.order": "WrongOrder",
    "publishing.plan": "PublishOptions",
    "publishing.report": "FileChange PublishObserver PublishReport Totals",
    "resolution.conflict": "Asked Conflict Demand Exists",
    "resolution.lockfile": "lock_text",
    "resolution.resolver": "Locked Resolution",
    "selection.available": "Listing Row Scope",
    "selection.pick": "Pick",
    "selection.reasons": "Exclusion FileStatus Rule",
    "selection.requirements": "Requirement",
    "site.layout": "Arch Base Directory HostKind Layer SearchPath",
    "site.model": "SearchingHost Site",
    "site.pip_table": "Constraints",
    "static_index.report": "IndexObserver IndexReport LeftOut",
    "tree.candidate": "Candidate InvalidFilename SourceArchive VariantWheel",
    "tree.proposal": "SiteProposal propose_site",
    "tree.proposal_text": "ProposedDirectory",
    "tree.survey": "SurveyError",
    "upkeep.coverage": "Coverage",
    "upkeep.gap": "Gap Gaps",
    "upkeep.outdated": "Age Outdated Upstream",
    "upkeep.pip_indexes": "NoIndexError",
    "wheelfile.build_tag": "StampError",
    "wheelfile.provenance": "ExternalLibrary Provenance",
    "wheelfile.validate": "InvalidWheelError",
    "wheelhouse": "Wheelhouse",
}

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_MODULE_OF)
__all__.sort()


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("wheelhouse-resolver")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
