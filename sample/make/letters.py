"""Hangul syllables and the letters they are built of.

Letters are written as compatibility jamo (ㄱ U+3131 …), the form that people type alone.
"""

__all__ = ["NOUNS", "SYLLABLES", "joined", "parts", "split"]

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")

# Everyday nouns of two syllables without doubled finals: every one is kept out of training.
_NOUN_LINES = """
학교 나무 사람 바다 하늘 구름 바람 가을 겨울 여름 강물 도시 마을 시장 공원 병원 은행 학생
선생 친구 가족 동생 언니 누나 형제 부모 아들 손님 주인 음식 김치 국수 라면 만두 두부 고기
생선 과일 사과 포도 수박 딸기 감자 고추 마늘 양파 당근 오이 호박 버섯 우유 커피 녹차 설탕
소금 간장 된장 참깨 기름 그릇 접시 수저 냄비 주방 거실 침대 의자 책상 창문 대문 지붕 마당
정원 화분 장미 국화 벚꽃 단풍 잔디 들판 논밭 호수 폭포 바위 모래 자갈 항구 기차 버스 택시
배낭 여행 지도 사진 영화 음악 노래 악기 기타 장구 그림 미술 연필 공책 종이 가위 자석 전화
시계 달력 안경 모자 바지 치마 양말 신발 장갑 우산 가방 지갑 반지 거울 비누 수건 치약 칫솔
휴지 약국 의사 감기 두통 운동 축구 야구 농구 수영 등산 씨름 정부 국회 법원 선거 투표 경제
회사 공장 농부 어부 목수 화가 가수 배우 기자 작가 시인 독자 소설 신문 방송 광고 편지 우표
택배 선물 생일 명절 설날 추석 한복 한글 자음 모음 낱말 문장 글자 숫자 덧셈 뺄셈 곱셈
"""
NOUNS = tuple(_NOUN_LINES.split())

SYLLABLES = tuple(sorted({syllable for noun in NOUNS for syllable in noun}))


def parts(syllable: str) -> tuple[str, str, str]:
    """Return initial, vowel and final (empty if open) of one composed syllable.

    Example:
        >>> parts("독"), parts("자")
        (('ㄷ', 'ㅗ', 'ㄱ'), ('ㅈ', 'ㅏ', ''))
    """
    place = ord(syllable) - 0xAC00
    return _INITIALS[place // 588], _VOWELS[place % 588 // 28], _FINALS[place % 28]


def split(word: str) -> str:
    """Return all letters of the word in a row.

    Example:
        >>> split("독자")
        'ㄷㅗㄱㅈㅏ'
    """
    return "".join("".join(parts(syllable)) for syllable in word)


def joined(letters: str, *, by: str) -> str:
    """Return the letters with a sign between them.

    Example:
        >>> joined("ㄷㅗㄱ", by="+")
        'ㄷ+ㅗ+ㄱ'
    """
    return by.join(letters)
