"""Sentences by which people say which option they choose, in Korean and in English.

Each pattern holds one `LABEL`. A label that is denied in the same breath ("A가 아니라", "not A")
is not chosen; one that is joined to another ("A와 B", "A or B") is one of several. Runs of spaces
and signs are bounded in all of them: replies come from outside, and none may take longer to read
than its length is worth.
"""

import re
from typing import NamedTuple

from dokja.evidence.benchmarks.scorers.marks import LABEL, NONE_OF, OPEN, SHUT

__all__ = [
    "ANY_MARK",
    "BOXED",
    "BOX_HEAD",
    "BRIEF",
    "DENIED",
    "EN_NOUNS",
    "FINAL",
    "FINAL_HEAD",
    "HEAD",
    "JOINED",
    "LED",
    "RETRACTED",
    "STATED",
    "STATEMENTS",
    "WHOLE",
    "Wording",
]

_MOST = 8  # signs in a run
_RUN = re.compile(r"(\\s|\])([*+])")


def _bounded(pattern: str) -> str:
    """Return the pattern with every run of a class bounded."""
    return _RUN.sub(lambda run: f"{run[1]}{{{'0' if run[2] == '*' else '1'},{_MOST}}}", pattern)


_MARKED = rf"{OPEN}{LABEL}{SHUT}"
"""A label with what may stand around it."""
_NUMBERED = rf"{_MARKED}\s*번?{SHUT}"
"""The same with "번" behind it, as in "4번"."""

_KO_NOUN = r"(?:정답|해답|대답|답안|답변|답|선택|결론)"
_KO_HEAD = (
    r"(?<![가-힣])(?:(?:옳은|맞는|올바른|알맞은|적절한|제|나의|저의|내)\s*)?"
    rf"{_KO_NOUN}\s*(?:번호|선택지|보기|기호|옵션)?"
)
_ENDS = r"[* \t_`\"'>)\]】》]*"
_KO_LINK = (
    rf"{_ENDS}(?:(?:은|는|이|가)(?=[*\s_`\"'(\[:,①-⑳A-Z\d가-힣ㄱ-ㅎ\\$-])[ \t,:]*"
    r"|[:=→⇒-]+>?[ \t]*|[ \t]*\n\s*|[ \t]+)"
)
EN_NOUNS = ("answer", "choice", "option", "response", "selection", "solution")
_EN_NOUN = f"(?:{'|'.join(EN_NOUNS)})"
_EN_HEAD = (
    r"\b(?:(?:correct|right|best|most\s+appropriate|my|the)\s+){0,4}"
    rf"{_EN_NOUN}(?:\s+(?:choice|option|letter))?"
)
_EN_BE = r"(?:is|was|are|would\s+be|should\s+be|must\s+be|has\s+to\s+be|could\s+be)"
_EN_LINK = rf"{_ENDS}(?:{_EN_BE}\b[ \t:]*|[:=→⇒-]+>?\s*|\s*\n\s*)"

HEAD = _bounded(rf"(?:{_KO_HEAD}{_KO_LINK}|(?i:{_EN_HEAD}{_EN_LINK}))")
"""What stands before an answer that is declared: "정답은", "답:", "The answer is"."""
FINAL_HEAD = _bounded(
    rf"(?:(?:최종(?:적인|적으로)?|마지막)\s*{_KO_NOUN}{_KO_LINK}"
    rf"|(?i:\bfinal(?:ly)?[ \t]+{_EN_NOUN}{_EN_LINK}))"
)
"""What stands before an answer that is declared to be the last."""
BOX_HEAD = _bounded(r"\\(?:boxed|fbox)\s*\{\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{)?\s*")
"""What stands before an answer in a box, as mathematical texts end."""

_FILLER = (
    r"(?:(?:바로|아마도?|당연히|역시|분명히|결국|따라서|보기|선택지|옵션|번호|option|choice|letter"
    r"|probably|most likely|likely|clearly|definitely|therefore|indeed)[ \t:]*){0,3}"
)
_RIGHT_KO = (
    r"(?:정답(?!이?\s*(?:아니|아님|될\s*수\s*없))|답(?!이?\s*(?:아니|될\s*수\s*없|변))"
    r"|맞(?!지\s*않)|옳(?!지\s*않)|올바(?!르지\s*않)|적절(?!하지\s*않)|적합(?!하지\s*않)"
    r"|알맞(?!지\s*않)|타당(?!하지\s*않))"
)
_RIGHT_EN = (
    r"(?i:(?:is|seems|looks|appears\s+to\s+be|must\s+be|would\s+be)\s+(?:the\s+|a\s+)?"
    r"(?:most\s+|only\s+|best\s+)?"
    r"(?:correct|right|answer|best|true|accurate|appropriate|likely)\b)"
)
_CHOOSE_EN = (
    r"(?i:\b(?:I(?:'d|'ll|\s+would|\s+will)?|we|let's)\s+"
    r"(?:choose|pick|select|go\s+with|chose|picked|selected|opt\s+for|say)\s+"
    r"(?:the\s+)?(?:option|answer|choice|letter)?\s*)"
)
_NOT_EN = (
    rf"(?i:\bnot\s+(?:option\s+)?{OPEN}[a-z0-9①-⑳]{SHUT}\s*,?\s*(?:but(?:\s+rather)?|rather)\s+)"
)


class Wording(NamedTuple):
    """A pattern, and words of which one stands wherever it matches: looked for first, as cheaper.

    The words are in small letters; none at all means that the pattern is always tried.
    """

    pattern: re.Pattern[str]
    words: tuple[str, ...]


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_bounded(pattern))


def _worded(pattern: str, *words: str) -> Wording:
    return Wording(_compiled(pattern), words)


STATEMENTS = (
    _worded(rf"{HEAD}\s*(?i:{_FILLER}){OPEN}{LABEL}", "답", "선택", "결론", *EN_NOUNS),
    _worded(
        rf"{_NUMBERED}(?:\s*[^\n.,:;()]{{0,30}}?)?{SHUT}\s*(?:이|가|은|는|만이?|이야말로)\s*"
        rf"(?:가장\s*)?{_RIGHT_KO}",
        *("가 정답", "가 답", "이 정답", "이 답", "은 정답", "는 정답", "만 정답", "만이 정답"),
        *("맞", "옳", "올바", "적절", "적합", "알맞", "타당", "가장 ", "가정답", "이정답"),
    ),
    _worded(
        rf"{_NUMBERED}\s*(?:을|를|으로|로)\s*(?:선택|고르|고릅|골|택|답)", "선택", "고", "택", "답"
    ),
    _worded(
        rf"{_MARKED}(?:[ \t]*\([^()\n]{{1,60}}\))?\s+{_RIGHT_EN}",
        *(" is ", " seems ", " looks ", " be "),
    ),
    _worded(
        rf"{_CHOOSE_EN}{OPEN}{LABEL}", "choose", "pick", "select", "go with", "chose", "opt", "say"
    ),
    _worded(
        rf"(?:아니라|아니고|아닌|말고|대신)\s*,?\s*(?:바로\s*)?{OPEN}{LABEL}",
        "아니",
        "아닌",
        "말고",
        "대신",
    ),
    _worded(rf"{_NOT_EN}{OPEN}{LABEL}", "not "),
)
"""An answer is declared."""
FINAL = (_worded(rf"{FINAL_HEAD}\s*(?i:{_FILLER}){OPEN}{LABEL}", "최종", "마지막", "final"),)
"""An answer is declared to be the last."""
BOXED = (_worded(rf"{BOX_HEAD}{OPEN}{LABEL}", "\\"),)
"""An answer in a box."""
STATED = (
    _worded(
        rf"{_NUMBERED}\s*(?:입니다|이다|예요|이에요|임\b|이라고|라고\s*(?:생각|봅|판단)|인\s*것\s*같)",
        *("입니다", "이다", "예요", "이에요", "임", "라고", "것"),
    ),
)
"""A sentence ends on a label: "B입니다"."""
_JOINT = (
    rf"{SHUT}\s*번?{SHUT}\s*(?:[,/·&+]|와|과|및|또는|이나|나|혹은|아니면|(?i:\bor\b|\band\b))\s*"
    rf"(?:(?i:or|and|또는)\s+)?{OPEN}"
)
_OTHER = re.sub(r"\(\?P<\w+>", "(?:", LABEL)


def _one_row(row: str, pattern: str) -> str:
    """Return a pattern of one row of labels alone."""
    return rf"(?P<{row}>{pattern})" + "".join(NONE_OF[each] for each in NONE_OF if each != row)


ANY_MARK = (
    _worded(rf"{LABEL}(?={_JOINT}{_OTHER})"),
    _worded(rf"[(\[【<「『]\s*{LABEL}\s*[)\]】>」』]"),
    _worded(rf"{LABEL}\s*번", "번"),
    _worded(_one_row("circle", r"[①-⑳]")),
    _worded(_one_row("latin", r"(?<![A-Za-z0-9\\/@#+'’-])[B-HJ](?![A-Za-z0-9+#&'’]|-\w|\.\w)")),
    _worded(
        rf"(?:보기|선택지|(?i:option|choice))\s*{OPEN}{LABEL}", "보기", "선택지", "option", "choice"
    ),
)
"""A label that can hardly be anything else."""
BRIEF = re.compile(
    r"[\s*_(\[]{0,4}"
    r"(?P<head>(?:정답|답)(?:은|는)?[ ]?:?\s?|(?:[Tt]he )?(?:[Cc]orrect )?[Aa]nswer(?: is|:)\s?)?"
    r"[*_('\"\[]{0,4}(?P<sign>[A-Ja-j]|[1-9]\d?|[①-⑳]|[가나다라마바사아자차]|[ㄱ-ㅊ])"
    r"[)\]'\"*_]{0,4}번?(?:입니다|이다)?[.)\]*_\s]{0,4}"
)
"""All of a reply that says nothing but a label, or declares one: read in one step, as most are."""
WHOLE = _compiled(
    rf"\s*(?:(?:보기|선택지|(?i:option|choice|answer))\s*)?{_NUMBERED}(?P<rest>[^\n]{{0,400}}$)"
)
"""A line that begins with a label; the rest is an ending, or the option's own text."""
DENIED = _compiled(
    rf"{SHUT}\s*번?{SHUT}\s*(?:(?:이|가|은|는|도)?\s*(?:아니|아닙|아닌|아님|틀|말고|대신|오답|제외"
    r"|정답이\s*아|답이\s*아|맞지\s*않|옳지\s*않)"
    r"|(?i:\s*(?:is|was)\s+(?:not|incorrect|wrong|false)\b|\s*(?:is|was)n't))"
)
"""What denies the label before it."""
JOINED = _compiled(rf"{_JOINT}{LABEL}(?!{SHUT}\s*번?\s*(?:은|는|이|가)\s*(?:아니|아닙|틀))")
"""What joins a label to the one before it."""
LED = _compiled(rf"{LABEL}{_JOINT}$")
"""A label before another one that it is joined to."""
RETRACTED = re.compile(
    r"(?:아니[,.요!…]|아니\s|아닙니다[,.]|잠깐|잠시만|다시\s*(?:생각|보|검토|확인|계산|읽)|정정|수정하"
    r"|취소|바꾸|변경|틀렸|실수|재검토"
    r"|(?i:\bwait\b|\bactually\b|\bscratch\s+that\b|\bcorrection\b|\bsecond\s+thought"
    r"|\blet\s+me\s+(?:re|correct|double)|\bI\s+(?:was|made)\s+(?:wrong|a\s+mistake)"
    r"|\bmy\s+mistake\b|\bno,\s|\bon\s+reflection\b|\bsorry\b|\brevis))"
)
"""What was said before is taken back."""
