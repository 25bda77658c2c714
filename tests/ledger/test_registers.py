"""The register of names finds exactly those that come twice, however few fit on a page."""

from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.registers import NameRegister, fingerprint


@given(st.lists(st.sampled_from([f"name-{n}" for n in range(40)]), max_size=60), st.integers(1, 9))
def test_register_finds_the_names_that_come_twice(names, page):
    with NameRegister(page=page) as register:
        for name in names:
            register.take(name)
        found = register.repeated()

    twice = {fingerprint(name) for name in names if names.count(name) > 1}
    assert found == twice
