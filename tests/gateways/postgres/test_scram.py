"""Both ends of SCRAM agree with each other, with the example of the standard, and with nobody who only guesses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.postgres.scram import Client, Refused, Server, Verifier

passwords = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def _exchange(client: Client, server: Server) -> None:
    client.check(server.final(client.final(server.first(client.first()))))


@given(passwords)
def test_who_knows_the_password_is_let_in_and_knows_the_server(password: str) -> None:
    _exchange(Client(password), Server(Verifier.of(password, iterations=2)))


@given(passwords, passwords)
def test_who_does_not_is_refused(password: str, guess: str) -> None:
    if password != guess:
        with pytest.raises(Refused):
            _exchange(Client(guess), Server(Verifier.of(password, iterations=2)))


def test_the_example_of_rfc_7677() -> None:
    client = Client("pencil")
    client._bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert client.final(first) == (
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "message", ["p=tls-server-end-point,,n=,r=x", "n,a=admin,n=,r=x", "n,,n=", "", "n,,", "gibberish"]
)
def test_what_is_not_offered_is_refused(message: str) -> None:
    with pytest.raises(Refused):
        Server(Verifier.of("secret", iterations=2)).first(message)


@given(st.text(max_size=80))
def test_no_answer_whatever_it_says_gets_past(message: str) -> None:
    server = Server(Verifier.of("secret", iterations=2))
    server.first("n,,n=,r=abc")
    with pytest.raises(Refused):
        server.final(message)


def test_an_answer_to_another_exchange_is_refused() -> None:
    verifier = Verifier.of("secret", iterations=2)
    client, server, other = Client("secret"), Server(verifier), Server(verifier)
    proof = client.final(server.first(client.first()))
    other.first(client.first())
    with pytest.raises(Refused):
        other.final(proof)


def test_a_server_cannot_keep_us_busy_nor_pretend() -> None:
    client = Client("secret")
    nonce = client.first().partition("r=")[2]
    with pytest.raises(Refused):
        client.final(f"r={nonce}x,s=AAAA,i=99999999")
    client.final(f"r={nonce}x,s=AAAA,i=2")
    with pytest.raises(Refused):
        client.check("v=AAAA")
    with pytest.raises(Refused):
        Client("secret").check("v=")
