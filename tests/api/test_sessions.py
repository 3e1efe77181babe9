"""A token is ours, unchanged and in date, or it is nothing."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from api import sessions
from api.sessions import BadSession, Scope, UserRole

KEY = "k" * 43
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def minted(**changes: object) -> str:
    given = {"user_id": "ada", "role": UserRole.REP, "payee_id": "p-ada", "now": NOW, **changes}
    return sessions.mint(KEY, **given)  # type: ignore[arg-type]


def test_a_token_says_who_asks() -> None:
    found = sessions.read(minted(scopes=(Scope.DEALS_WRITE,), seconds=60), key=KEY, now=NOW)
    assert (found.user_id, found.role, found.payee_id) == ("ada", "rep", "p-ada")
    assert found.scopes == (Scope.DEALS_WRITE,)
    assert found.expires_at == NOW + dt.timedelta(seconds=60)


def test_two_sessions_of_one_user_differ() -> None:
    first, second = (sessions.read(minted(), key=KEY, now=NOW) for _ in range(2))
    assert first.session_id != second.session_id


def test_a_token_expires_at_the_second() -> None:
    token = minted(seconds=60)
    sessions.read(token, key=KEY, now=NOW + dt.timedelta(seconds=59))
    with pytest.raises(BadSession, match="expired"):
        sessions.read(token, key=KEY, now=NOW + dt.timedelta(seconds=60))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


CLAIMS = {
    "iss": "paceboard",
    "sub": "ada",
    "role": "admin",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 60,
    "jti": "1",
}


def signed(claims: dict[str, object], *, key: str = KEY, algorithm: str = "HS256") -> str:
    return jwt.encode(
        {"alg": algorithm}, claims, OctKey.import_key(key), algorithms=["HS256", "HS512"]
    )


def changed_payload() -> str:
    header, _, signature = minted().split(".")
    return f"{header}.{part(CLAIMS)}.{signature}"


BAD = {
    "signed by another key": signed(CLAIMS, key="x" * 43),
    "its claims were changed": changed_payload(),
    "no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(CLAIMS)}.",
    "no algorithm, spelt otherwise": f"{part({'alg': 'None'})}.{part(CLAIMS)}.",
    "another algorithm with our key": signed(CLAIMS, algorithm="HS512"),
    "another issuer": signed({**CLAIMS, "iss": "else"}),
    "a role that does not exist": signed({**CLAIMS, "role": "root"}),
    "a claim we do not make": signed({**CLAIMS, "is_admin": True}),
    "never expires": signed({name: v for name, v in CLAIMS.items() if name != "exp"}),
    "issued in the future": signed({**CLAIMS, "iat": CLAIMS["iat"] + 3_600}),  # type: ignore[operator]
    "not a token": "hello",
    "empty": "",
    "too long": "a" * 10_000,
    "not text of a token": "é.ü.ß",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_what_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(BadSession):
        sessions.read(token, key=KEY, now=NOW)


def test_a_key_must_be_long() -> None:
    with pytest.raises(ValueError, match="PACEBOARD_SESSION_KEY"):
        sessions.mint("short", user_id="ada", role=UserRole.REP, now=NOW)


@pytest.mark.parametrize("seconds", [0, -1, 31 * 86_400])
def test_a_token_is_not_good_for_ever(seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        minted(seconds=seconds)
