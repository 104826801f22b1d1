"""The private words that gave way to the field's terms, and where each may still stand."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word of the table: where it is looked for and what replaces it.

    `names` is searched in identifiers (split at underscores and capitals, joined by spaces),
    `prose` in docstrings, comments, texts and Markdown. Both are searched in lower case.
    `folders` limits the search to paths that begin with one of them.
    """

    word: str
    replacement: str
    names: str | None = None
    prose: str | None = None
    folders: tuple[str, ...] = ("",)


def _both(word: str, replacement: str, pattern: str, *folders: str) -> Term:
    pattern = rf"\b(?:{pattern})\b"
    return Term(
        word=word,
        replacement=replacement,
        names=pattern,
        prose=pattern,
        folders=folders or ("",),
    )


def _names(word: str, replacement: str, pattern: str, *folders: str) -> Term:
    return Term(
        word=word,
        replacement=replacement,
        names=rf"\b(?:{pattern})\b",
        folders=folders or ("",),
    )


PRODUCT = ("services", "shared", "contracts", "deploy")
TERMS = (
    _both("wish", "request", "wish|wishes|wished"),
    _both(
        "order (a command)", "command, dispatch", "orders (?:a|the|its|what|it)|is ordered again"
    ),
    _both("call off", "cancel", "call(?:s|ed|ing)? (?:it |them )?off"),
    _names("turn", "per-agent job queue", "turns?"),
    Term(
        word="turn",
        replacement="per-agent job queue",
        prose=r"\b(?:its|whose|agent's|an agent's|next) turns?\b|\bturn (?:has )?c[ao]me",
    ),
    _names("flow", "lifecycle", "flow", "services"),
    _names("take_*", "record_*, update", "^take \\w+", "services/coordinator", "services/gateway"),
    _names("note", "record, update", "^note|^notes", "services"),
    _names("given", "provided, explicit", "given", *PRODUCT),
    _both("ripe", "due", "ripe"),
    _both("rest", "backoff", "rests?|resting", "services/coordinator"),
    _both("refusal", "unsuccessful run", "refusals?", "services/coordinator"),
    _both("in vain", "unsuccessful", "in vain"),
    _both("verdict", "decision", "verdicts?"),
    _both("findings", "evaluation report", "findings"),
    _both("judge", "evaluate, rate", "judges?|judged|judging"),
    _names("live", "deployed", "live"),
    Term(
        word="live",
        replacement="deployed",
        prose=r"\blive (?:version|model|one|agent|candidate|weights)s?\b"
        r"|\b(?:went|goes|go|gone|is|was|are|made|makes|be) live\b",
    ),
    _both("beyond chance", "significant", "(?:beyond|within|by) chance"),
    _both("untrained base", "baseline", "untrained"),
    _names("reference", "baseline", "reference (?:rated|rating|model|version|predict\\w+)"),
    _names(
        *("share", "proportion", r"^shares?$|share interval"),
        *("services/curriculum", "services/evaluator", "services/coordinator"),
    ),
    Term(word="share", replacement="proportion", prose=r"\b(?:shares? of|(?:equal|its) share)\b"),
    _both("anchor", "distillation target", "anchors?|anchored"),
    _both("warm", "fork-server warm-up", "warm|warmed"),
    _both("preload", "fork-server warm-up", "preload\\w*"),
    _both("budget", "in-flight limit", "budgets?"),
    _both("pressure", "backpressure", "pressure"),
    _names("holding", "reservation", "holdings?"),
    _names("Outcome", "TrainResult", "outcome", "services/trainer", "services/evaluator"),
    _both("run facts", "run metadata", "run facts"),
    _both("tally", "counters, feedback statistics", "tally|tallies|tallied"),
    _both("judgement", "feedback event, label", "judgements?"),
    _both("voice", "rater", "voices?"),
    _both("giver", "rater", "givers?"),
    _both("lot", "seeded hash", "lots?"),
    _both("drawn", "sampled", "drawn"),
    _both("fold", "merge near duplicates", "fold|folds|folded|folding"),
    _both("united", "merge near duplicates", "united|once each"),
    _both("held", "quarantined", "held|hold back", "services/data_prep"),
    _both("quarantine", "retry policy, dead-letter queue", "quarantine\\w*", "shared"),
    _both("tell", "publish, emit, report", "tell|tells|told|telling"),
    _names("say", "report, publish", "say|says|said", *PRODUCT),
    _both("forget", "erase, delete", "forget|forgets|forgot|forgotten"),
    _both("own traffic", "internal traffic", "own traffic"),
    _names("purpose", "traffic class", "purpose", "contracts", "shared", "services/coordinator"),
    _both("sign", "signal", "signs?", "services/coordinator", "services/gateway/feedback"),
    _names("reading", "query service", "reading", "services/gateway"),
    _names("feed", "event hub", "feed"),
    _names("interest", "filter", "interests?"),
    _both("neighbourhood", "address prefix", "neighbourhoods?"),
    _names("origin", "generator", "origins?"),
    _both("attacked", "adversarial example", "attacked"),
    _both("slip", "typo", "slips?"),
    _both("bell", "notifier", "bells?|wakeups?"),
    _names("ring", "notify", "rings?"),
    _both("foundation", "service context", "foundations?"),
    _both("story", "scenario", "story|stories"),
    _both("ledger", "client log", "ledgers?"),
    _both("patience", "poll", "patience|patient"),
    _both("board", "progress view", "boards?"),
)

# Ordinary technical English, blanked out before the search; each with its reason.
ORDINARY = {
    r"\bheld out\b|\bheld[- ]out\b": "held-out data is the field's term",
    r"\bwarm[- ]?(?:start|up)s?\b|\bwarm[- ]started\b": "the field's terms",
    r"\bset forkserver preload\b": "the standard library's name",
    r"\bfair[- ]share\b": "a scheduling policy's name",
    r"\bback pressure\b": "backpressure is the field's term",
    r"\ba lot\b": "a quantity, nothing that is sampled",
    r"\bin turn\b|\bturns? (?:(?:\w+ ){0,4}into|on|off|it)\b": "plain English",
    r"\b(?:single|multi|live multi)[- ]turn\b": "a turn of a dialogue",
    r"\bdataset purpose\b": "what a dataset is for: training, evaluation or both",
    r"\bthe rest\b(?! (?:ends|of an agent))": "what remains of a set or a record",
    r"\bcatastrophic(?:ally)? forg\w+": "continual learning's term",
    r"\blive (?:progress|metrics|view|updates)\b": "shown while it happens",
    r"\bshares? (?:a|an|the|one|its|their|them)\b": "the verb: to have in common",
    r"\btell me\b": "a sentence of a user",
}

# Files in which a word has another, ordinary meaning: word -> path prefix -> reason.
ELSEWHERE: dict[str, dict[str, str]] = {
    "fold": {
        "deploy/": "rows of a view are folded, nothing is merged",
        "tests/unit/deploy/": "as above",
    },
    "drawn": {
        "deploy/": "a view is drawn",
        "tests/unit/deploy/": "as above",
    },
    "origin": {
        "services/gateway/dashboard/browser.py": "the name of an HTTP header",
        "tests/integration/gateway/dashboard/": "as above",
        "tests/support/gateway/dashboard.py": "as above",
        "tests/unit/gateway/dashboard/": "as above",
    },
    "feed": {"tests/unit/gateway/reports/test_page.py": "a method of the standard library"},
    "story": {"tests/support/data/intents.py": "a seed: another word would sample other data"},
    "judgement": {"tests/support/data/intents.py": "as above"},
    "live": {
        "deploy/demo/bfcl.py": "categories of the benchmark have it in their names",
        "deploy/demo/terminal.py": "a display that is redrawn, by the library's name",
        "deploy/cli/commands/up.py": "as above",
        "deploy/cli/screens/watch.py": "as above",
        "deploy/cli/commands/models.py": "a second name of a command, for users of other tools",
    },
    "purpose": {
        "contracts/archon_contracts/client/sdk/": "a field of the API",
        "contracts/handbook/api.md": "as above",
    },
    "turn": {"deploy/demo/bfcl.py": "turns of a dialogue"},
}

# Sentences of users that a grammar makes: samples, no names and no prose of ours.
SAMPLES = ("services/synthetic_generator/generators/grammars/",)
# The words themselves are the subject here.
DATED_NOTES = ("tests/house/", "tests/unit/house/", "contracts/decisions/0070-")


def searched(term: Term, path: str) -> bool:
    """Whether the term is looked for in that file."""
    if path.startswith((*DATED_NOTES, *SAMPLES)) or not path.startswith(term.folders):
        return False
    return not any(path.startswith(prefix) for prefix in ELSEWHERE.get(term.word, {}))


def without_ordinary(text: str) -> str:
    """The text with the ordinary phrases blanked out."""
    return _ORDINARY.sub(" | ", text)


_ORDINARY = re.compile("|".join(ORDINARY))
