"""What of private items would get out, told without telling them."""

from dokja.evidence.benchmarks.suites import leaks, read_suite_folder


def found(path, carried=frozenset()):
    suite = read_suite_folder(path, salted=False)
    return {
        (leak.file.rsplit("/", 1)[-1], leak.what.split(":")[0])
        for leak in leaks(suite, carried=carried)
    }


NO_PROMISE = ("commitment.json", "nothing is promised")


def test_suite_without_private_items_has_no_doors(folder):
    assert found(folder()) == set()


def test_promise_that_is_missing_is_a_door(folder, secret):
    assert found(folder(private=secret())) == {NO_PROMISE}


def test_file_that_others_may_read(folder, secret):
    path = folder(private=secret())
    (path / "private.jsonl").chmod(0o644)

    assert found(path) == {NO_PROMISE, ("private.jsonl", "others on this machine may read it")}


def test_file_that_version_control_would_carry(folder, secret):
    path = folder(private=secret())

    told = found(path, carried=frozenset({path / "private.jsonl"}))

    assert told == {NO_PROMISE, ("private.jsonl", "version control would carry it away")}


def test_piece_of_a_private_item_in_a_public_file(folder, secret, row):
    question = secret()[0]["question"]
    path = folder(
        private=secret(), rows=[row(1), row(2, question=f"이를테면, {question} 하고 묻자.")]
    )
    (path / "README.md").write_text("Nothing to see.")

    suite = read_suite_folder(path, salted=False)
    told = [leak for leak in leaks(suite, carried=frozenset()) if leak.file.endswith("items.jsonl")]

    assert len(told) == 1
    assert "pieces of 24 signs" in told[0].what
    assert not any(word in told[0].what for word in question.split())
