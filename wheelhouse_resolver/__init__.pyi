"""What type checkers see of the lazy imports in `__init__.py` (a test compares the two)."""

from wheelhouse_resolver.audit.findings import Finding as Finding
from wheelhouse_resolver.audit.findings import FindingKind as FindingKind
from wheelhouse_resolver.audit.findings import Severity as Severity
from wheelhouse_resolver.builder.classification.classify import Classification as Classification
from wheelhouse_resolver.builder.classification.classify import ClassifyError as ClassifyError
from wheelhouse_resolver.builder.classification.classify import classify as classify
from wheelhouse_resolver.builder.fetch import FetchedWheel as FetchedWheel
from wheelhouse_resolver.builder.fetch import FetchOptions as FetchOptions
from wheelhouse_resolver.builder.fetch import fetch as fetch
from wheelhouse_resolver.builder.records.record import BuildRecord as BuildRecord
from wheelhouse_resolver.builder.records.record import Phase as Phase
from wheelhouse_resolver.builder.records.upstream import WheelAdaptation as WheelAdaptation
from wheelhouse_resolver.builder.verification.verify import FailedCheck as FailedCheck
from wheelhouse_resolver.builder.verification.verify import NoEmulatorError as NoEmulatorError
from wheelhouse_resolver.builder.verification.verify import Verification as Verification
from wheelhouse_resolver.builder.verification.wheels import VerifyOptions as VerifyOptions
from wheelhouse_resolver.builder.verification.wheels import verify as verify
from wheelhouse_resolver.errors import CpuinfoError as CpuinfoError
from wheelhouse_resolver.errors import DirectRequirementsError as DirectRequirementsError
from wheelhouse_resolver.errors import FileProblemError as FileProblemError
from wheelhouse_resolver.errors import InvalidRequirementError as InvalidRequirementError
from wheelhouse_resolver.errors import InvalidSiteError as InvalidSiteError
from wheelhouse_resolver.errors import MissingExtraError as MissingExtraError
from wheelhouse_resolver.errors import NoWheelhouseError as NoWheelhouseError
from wheelhouse_resolver.errors import OsReleaseError as OsReleaseError
from wheelhouse_resolver.errors import OutputError as OutputError
from wheelhouse_resolver.errors import PythonError as PythonError
from wheelhouse_resolver.errors import RequirementsFileError as RequirementsFileError
from wheelhouse_resolver.errors import SiteFileError as SiteFileError
from wheelhouse_resolver.errors import TooComplexError as TooComplexError
from wheelhouse_resolver.errors import UnknownArchError as UnknownArchError
from wheelhouse_resolver.errors import UnknownLayerError as UnknownLayerError
from wheelhouse_resolver.errors import UnknownNameError as UnknownNameError
from wheelhouse_resolver.errors import UnreadableDirectoryError as UnreadableDirectoryError
from wheelhouse_resolver.errors import UnreadableWheelError as UnreadableWheelError
from wheelhouse_resolver.errors import UnsafeValueError as UnsafeValueError
from wheelhouse_resolver.errors import WheelhouseError as WheelhouseError
from wheelhouse_resolver.explain.answer import Answer as Answer
from wheelhouse_resolver.explain.answer import Verdict as Verdict
from wheelhouse_resolver.explain.suggestions import Action as Action
from wheelhouse_resolver.explain.suggestions import Step as Step
from wheelhouse_resolver.explain.suggestions import Suggestion as Suggestion
from wheelhouse_resolver.host.cpu import Cpu as Cpu
from wheelhouse_resolver.host.detect import Host as Host
from wheelhouse_resolver.host.detect import Machine as Machine
from wheelhouse_resolver.host.detect import detect_host as detect_host
from wheelhouse_resolver.host.detect import probe_machine as probe_machine
from wheelhouse_resolver.host.layer import Evidence as Evidence
from wheelhouse_resolver.host.program_interpreter import Interpreter as Interpreter
from wheelhouse_resolver.host.python_probe import Answers as Answers
from wheelhouse_resolver.host.target_python import TargetPython as TargetPython
from wheelhouse_resolver.installers.pip_config import PipConfig as PipConfig
from wheelhouse_resolver.installers.pip_config import Setting as Setting
from wheelhouse_resolver.installers.pip_config import pip_config as pip_config
from wheelhouse_resolver.publishing.errors import AfterHookError as AfterHookError
from wheelhouse_resolver.publishing.errors import PublishError as PublishError
from wheelhouse_resolver.publishing.order import WrongOrder as WrongOrder
from wheelhouse_resolver.publishing.plan import PublishOptions as PublishOptions
from wheelhouse_resolver.publishing.report import FileChange as FileChange
from wheelhouse_resolver.publishing.report import PublishObserver as PublishObserver
from wheelhouse_resolver.publishing.report import PublishReport as PublishReport
from wheelhouse_resolver.publishing.report import Totals as Totals
from wheelhouse_resolver.resolution.conflict import Asked as Asked
from wheelhouse_resolver.resolution.conflict import Conflict as Conflict
from wheelhouse_resolver.resolution.conflict import Demand as Demand
from wheelhouse_resolver.resolution.conflict import Exists as Exists
from wheelhouse_resolver.resolution.lockfile import lock_text as lock_text
from wheelhouse_resolver.resolution.resolver import Locked as Locked
from wheelhouse_resolver.resolution.resolver import Resolution as Resolution
from wheelhouse_resolver.selection.available import Listing as Listing
from wheelhouse_resolver.selection.available import Row as Row
from wheelhouse_resolver.selection.available import Scope as Scope
from wheelhouse_resolver.selection.pick import Pick as Pick
from wheelhouse_resolver.selection.reasons import Exclusion as Exclusion
from wheelhouse_resolver.selection.reasons import FileStatus as FileStatus
from wheelhouse_resolver.selection.reasons import Rule as Rule
from wheelhouse_resolver.selection.requirements import Requirement as Requirement
from wheelhouse_resolver.site.layout import Arch as Arch
from wheelhouse_resolver.site.layout import Base as Base
from wheelhouse_resolver.site.layout import Directory as Directory
from wheelhouse_resolver.site.layout import HostKind as HostKind
from wheelhouse_resolver.site.layout import Layer as Layer
from wheelhouse_resolver.site.layout import SearchPath as SearchPath
from wheelhouse_resolver.site.model import SearchingHost as SearchingHost
from wheelhouse_resolver.site.model import Site as Site
from wheelhouse_resolver.site.pip_table import Constraints as Constraints
from wheelhouse_resolver.static_index.report import IndexObserver as IndexObserver
from wheelhouse_resolver.static_index.report import IndexReport as IndexReport
from wheelhouse_resolver.static_index.report import LeftOut as LeftOut
from wheelhouse_resolver.tree.candidate import Candidate as Candidate
from wheelhouse_resolver.tree.candidate import InvalidFilename as InvalidFilename
from wheelhouse_resolver.tree.candidate import SourceArchive as SourceArchive
from wheelhouse_resolver.tree.candidate import VariantWheel as VariantWheel
from wheelhouse_resolver.tree.proposal import SiteProposal as SiteProposal
from wheelhouse_resolver.tree.proposal import propose_site as propose_site
from wheelhouse_resolver.tree.proposal_text import ProposedDirectory as ProposedDirectory
from wheelhouse_resolver.tree.survey import SurveyError as SurveyError
from wheelhouse_resolver.upkeep.coverage import Coverage as Coverage
from wheelhouse_resolver.upkeep.gap import Gap as Gap
from wheelhouse_resolver.upkeep.gap import Gaps as Gaps
from wheelhouse_resolver.upkeep.outdated import Age as Age
from wheelhouse_resolver.upkeep.outdated import Outdated as Outdated
from wheelhouse_resolver.upkeep.outdated import Upstream as Upstream
from wheelhouse_resolver.upkeep.pip_indexes import NoIndexError as NoIndexError
from wheelhouse_resolver.wheelfile.build_tag import StampError as StampError
from wheelhouse_resolver.wheelfile.provenance import ExternalLibrary as ExternalLibrary
from wheelhouse_resolver.wheelfile.provenance import Provenance as Provenance
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError as InvalidWheelError
from wheelhouse_resolver.wheelhouse import Wheelhouse as Wheelhouse

__version__: str
_MODULE_OF: dict[str, str]

__all__ = [
    "Action",
    "AfterHookError",
    "Age",
    "Answer",
    "Answers",
    "Arch",
    "Asked",
    "Base",
    "BuildRecord",
    "Candidate",
    "Classification",
    "ClassifyError",
    "Conflict",
    "Constraints",
    "Coverage",
    "Cpu",
    "CpuinfoError",
    "Demand",
    "DirectRequirementsError",
    "Directory",
    "Evidence",
    "Exclusion",
    "Exists",
    "ExternalLibrary",
    "FailedCheck",
    "FetchOptions",
    "FetchedWheel",
    "FileChange",
    "FileProblemError",
    "FileStatus",
    "Finding",
    "FindingKind",
    "Gap",
    "Gaps",
    "Host",
    "HostKind",
    "IndexObserver",
    "IndexReport",
    "Interpreter",
    "InvalidFilename",
    "InvalidRequirementError",
    "InvalidSiteError",
    "InvalidWheelError",
    "Layer",
    "LeftOut",
    "Listing",
    "Locked",
    "Machine",
    "MissingExtraError",
    "NoEmulatorError",
    "NoIndexError",
    "NoWheelhouseError",
    "OsReleaseError",
    "Outdated",
    "OutputError",
    "Phase",
    "Pick",
    "PipConfig",
    "ProposedDirectory",
    "Provenance",
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
    "SiteProposal",
    "SourceArchive",
    "StampError",
    "Step",
    "Suggestion",
    "SurveyError",
    "TargetPython",
    "TooComplexError",
    "Totals",
    "UnknownArchError",
    "UnknownLayerError",
    "UnknownNameError",
    "UnreadableDirectoryError",
    "UnreadableWheelError",
    "UnsafeValueError",
    "Upstream",
    "VariantWheel",
    "Verdict",
    "Verification",
    "VerifyOptions",
    "WheelAdaptation",
    "Wheelhouse",
    "WheelhouseError",
    "WrongOrder",
    "classify",
    "detect_host",
    "fetch",
    "lock_text",
    "pip_config",
    "probe_machine",
    "propose_site",
    "verify",
]
