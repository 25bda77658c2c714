"""A suite folder is read whole, and every mistake in it is told at once."""

import json

import pytest

from dokja.errors import ExtraMissingError, SuiteError
from dokja.evidence.benchmarks.scorers import Reply
from dokja.evidence.benchmarks.suites import read_suite_folder
from dokja.values import Digest, canonical_bytes

NFD = "\u1103\u1169\u11a8"  # 독 in letters


def mistakes_of(path, **options):
    with pytest.raises(SuiteError) as caught:
        read_suite_folder(path, **options)
    return [(each.file.rsplit("/", 1)[-1], each.place, each.read) for each in caught.value.mistakes]


def test_folder_holds_all_that_a_run_depends_on(folder):
    suite = read_suite_folder(folder())
    item = suite.items[1]

    assert (suite.name, suite.version, suite.budget_tokens) == ("seasons", "2026.1", 64)
    assert suite.prompt(item) == (
        "1번째 절기는 무엇인가?\nA. 입춘\nB. 우수\nC. 경칩\nD. 춘분\n정답:"
    )
    assert [(each.role, each.text) for each in suite.messages(item)] == [
        ("user", suite.prompt(item))
    ]
    assert suite.score(item, Reply(text="정답: B")).outcome.value == "correct"
    assert (item.keys, item.clusters["subject"], item.chance) == (("B",), "family-1", 0.25)


def test_digests_are_of_the_content_and_of_the_key(folder, row):
    old, new = (read_suite_folder(folder(rows=[row(1, key=key)])).items[0] for key in ("A", "B"))

    assert old.item_digest == new.item_digest == Digest.of(canonical_bytes(old.content))
    assert old.key_digest != new.key_digest == Digest.of(canonical_bytes({"keys": ["B"]}))


def test_digest_of_the_suite_changes_with_what_a_run_depends_on(folder):
    plain = read_suite_folder(folder()).digest

    assert read_suite_folder(folder()).digest == plain
    for changed in (
        {"template": "{{question}}\n{{choices}}\n"},
        {"count": 7},
        {"toml": (folder() / "suite.toml").read_text().replace("64", "65")},
        {"toml": (folder() / "suite.toml").read_text().replace("2026.1", "2026.2")},
        {"toml": (folder() / "suite.toml").read_text() + 'change_of_mind = "several"\n'},
    ):
        assert read_suite_folder(folder(**changed)).digest != plain


def test_every_mistake_is_told_at_once_with_its_line(folder, row):
    toml = """format = 2
name = "Seasons 1"
budget_tokens = 0
colour = "red"
clusters = ["subject", "subject"]
strata = "era"

[scorer]
kind = "choice"
change_of_mind = "first"
"""
    path = folder(toml=toml)

    told = mistakes_of(path)

    assert told == [
        ("suite.toml", "version", "nothing"),
        ("suite.toml", "licence", "nothing"),
        ("suite.toml", "language", "nothing"),
        ("suite.toml", "line 1, format", "2"),
        ("suite.toml", "line 2, name", "'Seasons 1'"),
        ("suite.toml", "line 3, budget_tokens", "0"),
        ("suite.toml", "line 4, colour", "this key"),
        ("suite.toml", "line 5, clusters", "['subject', 'subject']"),
        ("suite.toml", "line 6, strata", "'era'"),
        ("suite.toml", "line 10, scorer.change_of_mind", "'first'"),
    ]


@pytest.mark.parametrize(
    ("changes", "place", "read"),
    [
        ({"id": "Item 1"}, "line 1, id", "'Item 1'"),
        ({"id": None}, "line 1, id", "nothing"),
        ({"question": " "}, "line 1, question", "empty text"),
        ({"question": NFD}, "line 1, question", f"'{NFD}'"),
        ({"choices": None}, "line 1, choices", "no options"),
        ({"choices": ["하나"]}, "line 1, choices", "1 options"),
        ({"choices": ["달", "달"], "key": "A"}, "line 1, choices.2", "the text of option 1 again"),
        ({"key": "E"}, "line 1, key", "'E'"),
        ({"key": "입춘"}, "line 1, key", "'입춘'"),
        ({"key": None}, "line 1, key", "nothing"),
        ({"key": []}, "line 1, key", "[]"),
        ({"clusters": {}}, "line 1, clusters.subject", "nothing"),
        ({"clusters": {"subject": "a", "era": "b"}}, "line 1, clusters.era", "this clustering"),
        ({"clusters": "a"}, "line 1, clusters", "'a'"),
        ({"chance": 1}, "line 1, chance", "1"),
        ({"dated": "2026-13-01"}, "line 1, dated", "'2026-13-01'"),
        ({"language": "Korean"}, "line 1, language", "'Korean'"),
        ({"form": "a"}, "line 1, form", "'a'"),
        ({"fields": {"answer": "B"}}, "line 1, fields.answer", "a field of this name"),
        ({"fields": {"Passage": "x"}}, "line 1, fields.Passage", "this name"),
        ({"tests": []}, "line 1, tests", "tests"),
        ({"hint": "B"}, "line 1, hint", "this key"),
    ],
)
def test_mistake_in_an_item_is_told(folder, row, changes, place, read):
    ((file, where, what),) = mistakes_of(folder(rows=[row(1, **changes)]))

    assert (file, where) == ("items.jsonl", place)
    assert what == read


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "a", "id": "b"}', '{"id": NaN}'])
def test_line_that_is_no_object_is_told(folder, line):
    ((file, place, _),) = mistakes_of(folder(rows=[line]))

    assert (file, place) == ("items.jsonl", "line 1")


def test_items_are_told_apart(folder, row):
    rows = [row(1), row(2, id="item-001"), row(3, question=row(1)["question"])]

    told = mistakes_of(folder(rows=rows))

    assert told == [
        ("seasons", "item item-001", "its id again"),
        ("seasons", "item item-003", "the question of item item-001"),
    ]


@pytest.mark.parametrize(
    ("template", "place", "read"),
    [
        ("{{question}}", "", "no {{choices}}"),
        ("{{choices}}", "", "no {{question}}"),
        ("{{question}}\n{{choices}}\n{{key}}", "line 3", "{{key}}"),
        ("{{question}}\n{{choices}} {{passage}}", "line 2", "{{passage}}"),
        ("{{question}}{{choices}}{{ 1 + 1 }}", "line 1", "{{1 + 1}}"),
        ("{{question}}{{choices}}{{item.__class__}}", "line 1", "{{item.__class__}}"),
    ],
)
def test_template_shows_no_key_and_runs_no_code(folder, template, place, read):
    assert mistakes_of(folder(template=template)) == [("template.txt", place, read)]


def test_item_is_put_in_as_it_stands(folder, row):
    rows = [row(1, question="{{choices}} {{key}}", fields={"passage": "{{question}}"})]
    suite = read_suite_folder(
        folder(rows=rows, template="{{passage}}|{{question}}|{{choices}}|{{labels}}")
    )

    prompt = suite.prompt(suite.items[0])

    assert prompt.startswith("{{question}}|{{choices}} {{key}}|A. 입춘")
    assert prompt.endswith("|A, B, C, D")


def test_blueprint_names_categories_that_items_have(folder):
    toml = (
        (folder() / "suite.toml")
        .read_text()
        .replace("[scorer]", "[blueprint]\nfamily-0 = 0.5\nfamily-9 = 0.5\n\n[scorer]")
    ).replace("clusters =", 'strata = "subject"\nclusters =')

    told = mistakes_of(folder(toml=toml))

    assert [(place, read) for _, place, read in told] == [
        ("blueprint.family-9", "no item"),
        ("blueprint.family-1", "nothing"),
        ("blueprint.family-2", "nothing"),
    ]


@pytest.mark.parametrize(
    ("shares", "fits"),
    [("a = 0.5\nb = 0.5", True), ("a = 0.5\nb = 0.6", False), ("a = 1\nb = 0", False)],
)
def test_blueprint_makes_up_one(folder, row, shares, fits):
    rows = [row(1, clusters={"subject": "a"}), row(2, clusters={"subject": "b"})]
    toml = (folder() / "suite.toml").read_text()
    toml = toml.replace("clusters =", 'strata = "subject"\nclusters =')
    path = folder(rows=rows, toml=toml.replace("[scorer]", f"[blueprint]\n{shares}\n[scorer]"))

    if fits:
        assert dict(read_suite_folder(path).declared.blueprint) == {"a": 0.5, "b": 0.5}
    else:
        assert [place for _, place, _ in mistakes_of(path)] == ["line 10, blueprint"]


@pytest.mark.parametrize("name", ["suite.toml", "template.txt", "items.jsonl"])
def test_missing_file_is_told(folder, name):
    path = folder()
    (path / name).unlink()

    assert (name, "", "No such file or directory") in mistakes_of(path)


def test_file_that_is_no_utf8_is_told_with_its_line(folder):
    path = folder()
    (path / "template.txt").write_bytes(b"{{question}}\n{{choices}}\n\xff")

    assert mistakes_of(path) == [("template.txt", "line 3", "byte 0xff")]


def test_forms_take_their_own_items(folder, row):
    toml = (
        (folder() / "suite.toml")
        .read_text()
        .replace("[scorer]", '[forms]\nspring = "moving"\nold = "anchor"\n\n[scorer]')
    )
    rows = [row(number, form="spring" if number < 3 else "old") for number in range(8)]
    suite = read_suite_folder(folder(rows=rows, toml=toml))

    assert [len(suite.of_form(name).items) for name in ("spring", "old")] == [3, 5]
    with pytest.raises(SuiteError):
        suite.of_form("autumn")


def test_parquet_holds_the_same_items(folder, row):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    rows = [row(1, dated="2026-01-02"), row(2, chance=0.2), row(3, key=["A", "B"])]
    rows = [
        {**each, "key": each["key"] if isinstance(each["key"], list) else [each["key"]]}
        for each in rows
    ]
    lines = read_suite_folder(folder(rows=rows))

    path = folder(toml='items = "items.parquet"\n' + (folder() / "suite.toml").read_text())
    parquet.write_table(arrow.Table.from_pylist(rows), path / "items.parquet")

    assert read_suite_folder(path).digest == lines.digest


def test_mistake_in_a_table_is_told_with_its_row(folder, row):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    path = folder(toml='items = "items.parquet"\n' + (folder() / "suite.toml").read_text())
    parquet.write_table(arrow.Table.from_pylist([row(1), row(2, key="F")]), path / "items.parquet")
    broken = path / "broken.parquet"
    broken.write_bytes(b"PAR1 no")

    assert mistakes_of(path) == [("items.parquet", "row 2, key", "'F'")]
    broken.replace(path / "items.parquet")
    assert [place for _, place, _ in mistakes_of(path)] == [""]


def test_table_without_its_reader_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = folder(toml='items = "items.parquet"\n' + (folder() / "suite.toml").read_text())
    (path / "items.parquet").write_bytes(b"")

    with pytest.raises(ExtraMissingError, match=r"dokja\[import\]"):
        read_suite_folder(path)


def test_programs_have_tests_and_no_key(folder, row):
    toml = (folder() / "suite.toml").read_text().replace('"choice"', '"code"')
    tests = [{"stdin": "1", "stdout": "2"}]
    rows = [
        row(1, choices=None, key=None, tests=tests),
        row(2, choices=None, key="A", tests=[{"stdin": 1}]),
    ]

    told = mistakes_of(folder(rows=rows, toml=toml, template="{{question}}"))

    assert [place for _, place, _ in told] == ["line 2, tests.1", "line 2, key"]


def test_nothing_of_a_private_item_is_told_in_a_mistake(folder, secret):
    rows = [*secret(3), *secret(1, id="Private 9", key="이름 없는 열쇠", hint="숨은 귀띔")]
    path = folder(private=rows)
    with (path / "private.jsonl").open("a") as file:
        file.write('{"question": "깨진 줄에 든 비밀')

    with pytest.raises(SuiteError) as caught:
        read_suite_folder(path)

    told = str(caught.value)
    assert len(caught.value.mistakes) >= 4
    for words in ("아무도 알아서는", "이름 없는", "숨은", "깨진", "Private 9"):
        assert words not in told
        assert words in (path / "private.jsonl").read_text()


def test_private_items_without_salts_are_refused_and_with_them_tell_nothing(folder, secret):
    path = folder(private=secret())
    assert mistakes_of(path) == [("salts.jsonl", "", "no salt for 5 private items")]
    salts = [{"id": each["id"], "salt": f"{n:02x}" * 32} for n, each in enumerate(secret(), 1)]
    (path / "salts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in salts))

    suite = read_suite_folder(path)

    private = [item for item in suite.items if item.private]
    assert len(private) == 5
    for item in private:
        plain = {Digest.of(canonical_bytes(each)) for each in (item.content, item.key)}
        assert {item.item_digest, item.key_digest}.isdisjoint(plain)
        assert item.id not in item.handle
        assert "salt" not in repr(item)
