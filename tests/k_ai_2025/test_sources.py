"""Every fact says where it was read, and every address is known by its tag."""

import re

# Adopted rulebooks are the programme's own act; the note about the record is our own.
OWN = {"rulebook/2025-06-20", "rulebook/2026-01-05", "rulebook/2026-01-23", "note/about"}
TAG = re.compile(r"\b[skr]\d{1,2}\b")


def test_every_fact_names_where_it_was_read(bodies):
    unsourced = {entry for entry, body in bodies.items() if not body.get("sources")}

    assert unsourced == OWN


def test_every_address_of_an_entry_has_a_tag(bodies, sources):
    known = {address for addresses in sources.values() for address in addresses}

    strange = [
        (entry, address)
        for entry, body in bodies.items()
        for address in body.get("sources", [])
        if address not in known
    ]

    assert strange == []


def test_every_tag_is_used_by_an_entry_or_a_rulebook(bodies, sources, rulebooks):
    read = {address for body in bodies.values() for address in body.get("sources", [])}
    declared = {tag for rulebook in rulebooks.values() for tag in rulebook.sources}

    idle = [
        tag
        for tag, addresses in sources.items()
        if tag not in declared and read.isdisjoint(addresses)
    ]

    assert idle == []


def test_rulebooks_give_the_same_addresses_as_the_example(rulebooks, sources):
    for rulebook in rulebooks.values():
        given = {tag: source.address for tag, source in rulebook.sources.items()}

        assert given == {tag: " ; ".join(sources[tag]) for tag in given}


def test_every_tag_in_a_comment_of_a_rulebook_is_declared(rulebook_bytes, rulebooks):
    for version, data in rulebook_bytes.items():
        mentioned = set(TAG.findall(data.decode("utf-8")))

        assert mentioned == set(rulebooks[version].sources)


def test_nothing_is_dated_after_the_record_was_read(bodies):
    days = [body.get("on") or body["in_force"] for body in bodies.values()]

    assert max(days) == "2026-07-03"
