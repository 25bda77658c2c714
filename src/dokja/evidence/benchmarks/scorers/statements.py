"""Sentences by which people say which option they choose, in Korean and in English.

Each pattern holds one `LABEL`. A label that is denied in the same breath ("A가 아니라", "not A")
is not chosen; one that is joined to another ("A와 B", "A or B") is one of several.
"""

import re

from dokja.evidence.benchmarks.scorers.marks import LABEL, OPEN, SHUT

__all__ = [
    "ANY_MARK",
    "BOXED",
    "DENIED",
    "FINAL",
    "HEAD",
    "JOINED",
    "RETRACTED",
    "STATED",
    "STATEMENTS",
    "WHOLE",
]

_KO_NOUN = r"(?:정답|해답|대답|답안|답변|답|선택|결론)"
_KO_HEAD = rf"(?<![가-힣])(?:(?:옳은|맞는|올바른|알맞은|적절한|제|나의|저의|내)\s*)?{_KO_NOUN}\s*(?:번호|선택지|보기|기호|옵션)?"
_FILLER = r"(?:(?:바로|아마도?|당연히|역시|분명히|결국|따라서|보기|선택지|옵션|번호|option|choice|letter|probably|most likely|likely|clearly|definitely|therefore|indeed)[ \t:]*)*"
_EN_NOUN = r"(?:answer|choice|option|response|selection|solution)"
_EN_HEAD = rf"\b(?:(?:correct|right|best|most\s+appropriate|my|the)\s+)*{_EN_NOUN}(?:\s+(?:choice|option|letter))?"
_KO_LINK = r"[ \t*_`\"'>)\]】》]*(?:(?:은|는|이|가)(?=[\s*_`\"'(\[:,①-⑳A-Z\d가나다라마])[ \t,:]*|[:=→⇒-]+>?[ \t]*|[ \t]*\n\s*|[ \t]+)"
_EN_LINK = r"[ \t*_`\"'>)\]]*(?:(?:is|was|are|would\s+be|should\s+be|must\s+be|has\s+to\s+be|could\s+be)\b[ \t:]*|[:=→⇒-]+>?\s*|\s*\n\s*)"

HEAD = rf"(?:{_KO_HEAD}{_KO_LINK}|(?i:{_EN_HEAD}{_EN_LINK}))"
"""What stands before an answer that is declared: "정답은", "답:", "The answer is"."""

_BEFORE = rf"{HEAD}\s*(?i:{_FILLER}){OPEN}{LABEL}"
_AFTER_KO = (
    rf"{OPEN}{LABEL}\s*{SHUT}\s*번?(?:\s*[^\n.,:;()]{{0,30}}?)?{SHUT}\s*(?:이|가|은|는|만이?|이야말로)\s*"
    r"(?:가장\s*)?(?:정답(?!이?\s*(?:아니|아님|될\s*수\s*없))|답(?!이?\s*(?:아니|될\s*수\s*없|변))|맞(?!지\s*않)|옳(?!지\s*않)|올바(?!르지\s*않)|적절(?!하지\s*않)|적합(?!하지\s*않)|알맞(?!지\s*않)|타당(?!하지\s*않))"
)
_CHOSEN_KO = rf"{OPEN}{LABEL}{SHUT}\s*번?{SHUT}\s*(?:을|를|으로|로)\s*(?:선택|고르|고릅|골|택|답)"
_AFTER_EN = (
    rf"{OPEN}{LABEL}{SHUT}(?:[ \t]*\([^()\n]{{1,60}}\))?\s+(?i:is|seems|looks|appears\s+to\s+be|must\s+be|would\s+be)\s+"
    r"(?i:(?:the\s+|a\s+)?(?:most\s+|only\s+|best\s+)?(?:correct|right|answer|best|true|accurate|appropriate|likely)\b)"
)
_CHOSEN_EN = (
    r"(?i:\b(?:I(?:'d|'ll|\s+would|\s+will)?|we|let's)\s+(?:choose|pick|select|go\s+with|chose|picked|selected|opt\s+for|say)\s+"
    rf"(?:the\s+)?(?:option|answer|choice|letter)?\s*){OPEN}{LABEL}"
)
_INSTEAD_KO = rf"(?:아니라|아니고|아닌|말고|대신)\s*,?\s*(?:바로\s*)?{OPEN}{LABEL}"
_INSTEAD_EN = rf"(?i:\bnot\s+(?:option\s+)?{OPEN}[a-z0-9①-⑳]{SHUT}\s*,?\s*(?:but(?:\s+rather)?|rather)\s+){OPEN}{LABEL}"


def _patterns(*written: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(each) for each in written)


STATEMENTS = _patterns(
    _BEFORE, _AFTER_KO, _CHOSEN_KO, _AFTER_EN, _CHOSEN_EN, _INSTEAD_KO, _INSTEAD_EN
)
"""An answer is declared."""
FINAL = _patterns(
    rf"(?:최종(?:적인|적으로)?\s*|마지막\s*){_KO_NOUN}?{_KO_LINK}(?i:{_FILLER}){OPEN}{LABEL}",
    rf"(?i:\bfinal(?:ly)?[ \t]+{_EN_NOUN}{_EN_LINK}\s*{_FILLER}){OPEN}{LABEL}",
)
"""An answer is declared to be the last."""
BOXED = _patterns(
    rf"\\(?:boxed|fbox)\s*\{{\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{{)?\s*{OPEN}{LABEL}"
)
"""An answer in a box, as mathematical texts end."""
STATED = _patterns(
    rf"{OPEN}{LABEL}{SHUT}\s*번?{SHUT}\s*(?:입니다|이다|예요|이에요|임\b|이라고|라고\s*(?:생각|봅|판단)|인\s*것\s*같)",
)
"""A sentence ends on a label: "B입니다"."""
ANY_MARK = _patterns(
    rf"[(\[【<「『]\s*{LABEL}\s*[)\]】>」』]",
    rf"{LABEL}\s*번",
    r"(?P<circle>[①-⑳])(?P<latin>(?!))?(?P<digit>(?!))?(?P<korean>(?!))?(?P<jamo>(?!))?",
    r"(?P<latin>(?<![A-Za-z0-9\\/@#+'’-])[B-HJ](?![A-Za-z0-9+#&'’]|-\w|\.\w))"
    r"(?P<circle>(?!))?(?P<digit>(?!))?(?P<korean>(?!))?(?P<jamo>(?!))?",
    rf"(?:보기|선택지|(?i:option|choice))\s*{OPEN}{LABEL}",
)
"""A label that can hardly be anything else."""
WHOLE = re.compile(
    rf"\s*(?:(?:보기|선택지|(?i:option|choice|answer))\s*)?{OPEN}{LABEL}{SHUT}\s*번?{SHUT}"
    rf"(?P<rest>[^\n]*)"
)
"""A line that begins with a label; the rest is an ending, or the option's own text."""
DENIED = re.compile(
    rf"{SHUT}\s*번?{SHUT}\s*(?:(?:이|가|은|는|도)?\s*(?:아니|아닙|아닌|아님|틀|말고|대신|오답|제외|정답이\s*아|답이\s*아|맞지\s*않|옳지\s*않)"
    r"|(?i:\s*(?:is|was)\s+(?:not|incorrect|wrong|false)\b|\s*isn't|\s*(?:is|was)n't))"
)
_OTHER = re.sub(r"\(\?P<\w+>", "(?:", LABEL)
JOINED = re.compile(
    rf"{SHUT}\s*번?{SHUT}\s*(?:[,/·&+]|와|과|및|또는|이나|나|혹은|아니면|(?i:\bor\b|\band\b))\s*(?:(?i:or|and|또는)\s+)?{OPEN}{LABEL}"
    rf"(?!{SHUT}\s*번?\s*(?:은|는|이|가)\s*(?:아니|아닙|틀))"
)
RETRACTED = re.compile(
    r"(?:아니[,.요!…]|아니\s|아닙니다[,.]|잠깐|잠시만|다시\s*(?:생각|보|검토|확인|계산|읽)|정정|수정하|취소|바꾸|변경|틀렸|실수|재검토"
    r"|(?i:\bwait\b|\bactually\b|\bscratch\s+that\b|\bcorrection\b|\bsecond\s+thought|\blet\s+me\s+(?:re|correct|double)"
    r"|\bI\s+(?:was|made)\s+(?:wrong|a\s+mistake)|\bmy\s+mistake\b|\bno,\s|\bon\s+reflection\b|\bsorry\b|\brevis))"
)
"""What was said before is taken back."""
