"""Who has not proven yet who they are, counted by where they come from."""

from __future__ import annotations

from random import Random

from gateways.strangers import Strangers


def test_whoever_has_most_gives_way_and_the_first_stay() -> None:
    house: Strangers[int] = Strangers(4)
    assert [house.comes(n, "10.0.0.1") for n in range(5)] == [None, None, None, None, 4]
    assert house.comes(5, "10.0.0.2") == 3
    assert house.comes(6, "10.0.0.1") == 6  # back at once: it has most of them still
    assert house.comes(7, "10.0.0.2") == 2
    assert house.comes(8, "10.0.0.2") == 8  # two and two: nobody takes from an equal
    assert (house.comes(9, "10.0.0.3"), house.comes(10, "10.0.0.4")) == (1, 7)
    assert house.comes(11, "10.0.0.5") == 11  # one each


def test_who_has_gone_leaves_a_place_and_goes_once() -> None:
    house: Strangers[int] = Strangers(1)
    assert (house.comes(1, "local"), house.comes(2, "local")) == (None, 2)
    house.goes(2)
    house.goes(1)
    house.goes(1)
    assert (house.comes(3, "local"), len(house)) == (None, 1)


def test_whoever_has_a_network_has_one_place_in_line() -> None:
    house: Strangers[int] = Strangers(2)
    assert (house.comes(1, "2001:db8::1"), house.comes(2, "2001:db8::2%eth0")) == (None, None)
    assert house.comes(3, "2001:db8:0:0:ffff::3") == 3
    assert house.comes(4, "2001:db8:0:1::1") == 2
    mapped: Strangers[int] = Strangers(2)
    assert (mapped.comes(1, "::ffff:10.0.0.1"), mapped.comes(2, "10.0.0.1")) == (None, None)
    assert mapped.comes(3, "::ffff:10.0.0.2") == 2


def test_never_more_than_there_may_be_and_each_is_told_of() -> None:
    chance, house, here = Random(7), Strangers[int](20), set[int]()
    for n in range(3_000):
        here.add(n)
        here.discard(-1 if (gone := house.comes(n, f"10.0.0.{chance.randrange(9)}")) is None else gone)
        if chance.random() < 0.4:
            house.goes(left := chance.choice(sorted(here)))
            here.discard(left)
        assert len(house) == len(here) <= 20
