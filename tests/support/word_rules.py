"""The words that the project does not use, what to write instead, and where they are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A pattern that must not occur, and what to write instead."""

    pattern: str
    instead: str

    def findings(self, text: str) -> Iterator[re.Match[str]]:
        """All places of the text that break the rule."""
        return re.finditer(self.pattern, text, re.IGNORECASE | re.MULTILINE)


_IZE = (
    r"organ|initial|serial|visual|synchron|recogn|minim|maxim|real|general|summar|"
    r"author|categor|random|final|util|token|parallel|special"
)

# Word stems, since British and American spelling share their endings.
SPELLING = (
    Rule(r"(?<![a-z])(?:dis)?colour\w*", "color"),
    Rule(r"\bcentre[sd]?\b|\bcentring\b|_centre\b|\bcentre_", "center"),
    Rule(r"licence", "license"),
    Rule(r"artefact", "artifact"),
    Rule(r"quantis(?=e|a|i)|normalis(?=e|a|i)|optimis(?=e|a|i)(?!m)", "-ize"),
    Rule(rf"(?:{_IZE})is(?:e|ing|ed|ation)\b", "-ize"),
    Rule(r"behaviour|neighbour|favour|honour|labour", "-or"),
    Rule(r"\bgrey|_grey", "gray"),
    Rule(r"(?:label|model|travel)l(?:ed(?!by)|ing)|signall(?!y)", "one l"),
    Rule(r"\banalys(?:e|ed|ing)\b", "analyze"),
    Rule(r"\b(?:kilo|centi|milli)?metres?\b|\bfibre|\bdefence|\bwhilst\b|\bcatalogue", "American"),
    Rule(r"\bmould|\bjudgement|\bprogramme[sd]?\b|\bpracti(?:se|sing)\b", "American"),
)  # fmt: skip

_UNITS = (
    r"second|minute|hour|day|frame|image|pixel|head|line|row|core|class|file|channel|"
    r"tensor|target|task|command|event|key|session|message|stride|anchor|output|batch|"
    r"track|object|point|step|system|word|pair"
)
_COUNTED = (
    r"frames|ms|milliseconds|microseconds|seconds|bytes|bits|kB|MB|MiB|KiB|pixels|"
    r"times|files?|lines?|rows?|bars?|documents?|objects|messages|events|images|"
    r"points|one|two|three|scales?|outputs?|lookups?|operations|instructions?"
)

# The left column of the table is what a reader met before, the right one the usual term.
TERMS = (
    # In prose only: as names they are those of asyncio and concurrent.futures.
    Rule(r"\bcancell(?:ed|ing)\b", "canceled"),
    Rule(r"\bhouses?\b|\brooms?\b", "project, package, area, capacity"),
    Rule(r"\b(?:ground|upper|lower|a|the|one|next) floor\b", "layer, lower bound"),
    Rule(r"\bthe face\b", "public API"),
    Rule(r"\bthoughts?\b", "responsibility"),
    Rule(r"\bpictures?\b", "frame (of a camera), image (file)"),
    Rule(r"(?:over|out of|beyond) the edge\b", "out of frame, across the frame boundary"),
    Rule(
        r"(?<!take )(?<!takes )(?<!took )(?<!in )(?<!in its )(?<!in their )(?<!in the )(?<!of )"
        r"(?<!in one )(?<!same )(?<!first )(?<!decimal )\bplaces?\b(?! of\b)",
        "region (line or zone), position, location",
    ),
    Rule(r"\b(?:least|a|the|of|mean|longest|each|every|one) stays?\b(?! in| the)", "visit"),
    Rule(r"\bwalkers?(?:'s)?\b", "left/right when facing from start to end"),
    Rule(r"\bsightings?\b", "detection"),
    Rule(r"\bone-hit\b|\byoung (?:track|object)s?", "tentative track"),
    Rule(r"\bknown objects?\b", "confirmed track"),
    Rule(r"\b(?:weak|weaker|good) (?:box|boxes|detections?)\b", "low-score, high-score detections"),
    Rule(r"\bremembered for\b", "kept as lost for"),
    Rule(r"\bvote of (?:its|a track's|the) life\b", "majority vote over the track"),
    Rule(r"\b(?:leaps?|leapt|jumps?|jumped|jumping)\b", "large displacement, gap"),
    Rule(r"\bmultiply-adds?\b(?! instruction)", "MACs"),
    Rule(r"\bfitting rectangles?\b|\brectangle that fits\b", "rectangular inference"),
    Rule(r"\braw heads?\b(?! outputs?)", "raw head outputs"),
    Rule(r"\bcut ranges?\b", "clipping"),
    Rule(r"\bheld back\b|\bholds? back\b", "validation split"),
    Rule(r"\bstrangers?(?:')?s?\b|\bhostile\b", "untrusted client, adversarial input"),
    Rule(r"\bhand(?:s|ed|ing)? (?:(?:it|them|that|this|frames) )?over\b", "submit, pass"),
    Rule(r"\bg(?:ive|ives|iving|iven|ave) (?:(?:it|them|that|this) )?back\b", "return, release"),
    Rule(r"\blet(?:s|ting)? go of\b", "release"),
    Rule(r"(?<!-)\blanes?\b", "worker, model instance"),
    Rule(r"\bwho(?:ever)? may\b", "authorization"),
    Rule(r"(?<!certificate )\bauthority\b", "CA"),
    Rule(r"\b(?:is|are|was|were|be|not) told\b|\btells?\b|\btelling\b", "report, say, show"),
    Rule(r"\b(?:draws?|writes?) a page\b", "write an HTML report"),
    Rule(r"\bglances?\b|\bhurr(?:y|ies)\b|\bmetronome\b", "the plain verb"),
)  # fmt: skip

HABITS = (
    Rule(r"(?:^|[.:;] )Who(?:se|ever)?\b[^?]*?(?:$|[.:;])", "an object that..., a client that..."),
    Rule(r"(?:^|\. )(?-i:What)\b[^?]*?(?:$|\.(?:\s|$))", "name the thing"),
    Rule(r"\b(?:for|of|to|by|from|than|with) who\b", "the client that"),
    Rule(rf"\b(?:{_COUNTED}) an? (?:{_UNITS})\b", "per"),
    Rule(
        r"(?<!there )\b(?:is|are) (?:no (?!longer|more|less|fewer|better|worse|slower)"
        r"|(?-i:none)\b)",
        "unknown X, invalid X, is not a",
    ),
    Rule(r"\bknows? no\b", "unknown"),
    Rule(r"\b(?:go|goes|going|gone|went) on\b", "continue, resume"),
    Rule(r"\banew\b", "restart"),
    Rule(r"\b(?:leav(?:e|es|ing)|left) (?:\S+ ){0,2}away\b", "omit"),
    Rule(r"\bfor so long\b|\bof so many\b|\b(?:the|only|after|with) so many\b", "N, this many"),
    Rule(r"(?<!at )\bleast\b(?![ -](?:squares|significant|common|recently|likely))", "minimum"),
)  # fmt: skip

PROSE = SPELLING + TERMS + HABITS


@dataclass(frozen=True)
class Allowance:
    """A word that stays in some files, and why."""

    files: str  # a glob, relative to the root
    words: str  # a pattern that the whole finding matches
    reason: str


ALLOWED = (
    Allowance("sdk/demo/*", r"houses?|lanes?|rooms?|places?", "the drawn street has them"),
    Allowance("cloud_fallback/wire/frames.py", r"room", "the protocol's vectors pin it"),
    Allowance(
        "mobile_bindings/conformance/makers/scenes/*.py",
        r"jump|picture|is no|frames a second|a stay|least",
        "the names of its cases are part of the vectors",
    ),
    Allowance("sdk/sinks/sqlite.py", r"place", "a column with the name of the JSON key"),
    Allowance(
        "cloud_fallback/jobs/pages/templates/*.html",
        r"is none|cancelled",
        "a test of Jinja, and the name of a job's state in the API",
    ),
    Allowance("tests/cloud_fallback/jobs/pages/*", r"What to count", "a heading of the page"),
    Allowance("edge_runtime/core/src/blend_rows.*", r"lanes?", "those of a vector register"),
    Allowance("tests/support/word_rules.py", r".*", "this list"),
    Allowance("tests/docs/test_words.py", r".*", "samples of what is found"),
)

# String literals that are allowed as they are, in any Python file.
LITERALS = frozenset(
    {
        # Keys of JSON documents of version 1, which other people's programs read.
        *("colour_order", "weights_licence", "artefacts", "unlabelled", "licence"),
        # Accepted beside the American spellings.
        *("bottom-centre", "centre", "top-centre"),
    }
)
