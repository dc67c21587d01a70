"""What may be connected to: tried against our own servers on loopback."""

from __future__ import annotations

import socket

import pytest

from curator.fetching.guard import Guard, PrivateAddress, is_public, parse_networks
from curator.fetching.limits import FetchLimits, parse_hosts
from curator.fetching.requests import NotFetched, opened_session, picture_content
from shared.errors import InputError
from tests.curator.fetching.picture_server import PictureServer, picture


@pytest.fixture
async def server():
    async with PictureServer() as started:
        yield started


async def content(url, *networks, hosts=()):
    limits = FetchLimits(10**6, 5.0, 2, 2, hosts, Guard(parse_networks(networks)))
    async with opened_session(limits) as session:
        return await picture_content(session, url, limits, 0.0)


async def test_loopback_is_refused_unless_its_network_is_named(server):
    with pytest.raises(NotFetched, match="none of the public internet") as refused:
        await content(server.url("a.jpg"))
    assert not refused.value.may_pass
    assert not server.asked
    assert await content(server.url("a.jpg"), "127.0.0.1") == picture()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_names_and_spellings_that_lead_to_loopback_are_refused(server, host):
    with pytest.raises(NotFetched, match="none of the public internet"):
        await content(f"http://{host}:{server.port}/a.jpg")
    assert not server.asked


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "0", "0177.0.0.1"])
async def test_addresses_written_as_odd_numbers_are_refused(server, host):
    with pytest.raises(NotFetched):
        await content(f"http://{host}:{server.port}/a.jpg")
    assert not server.asked


async def test_a_name_that_resolves_to_loopback_is_allowed_by_its_address(server):
    assert await content(server.url("a.jpg", host="localhost"), "127.0.0.0/8", "::1") == picture()


async def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(server):
    async with PictureServer("127.0.0.2") as outside:
        outside.elsewhere = server.url("a.jpg")
        assert await content(outside.url("moved.jpg"), "127.0.0.0/8") == picture()
        server.asked.clear()
        with pytest.raises(NotFetched, match="none of the public internet"):
            await content(outside.url("moved.jpg"), "127.0.0.2")
        outside.elsewhere = server.url("a.jpg", host="localhost")
        with pytest.raises(NotFetched, match="none of the public internet"):
            await content(outside.url("moved.jpg"), "127.0.0.2")
    assert not server.asked


@pytest.mark.parametrize(
    ("elsewhere", "part"),
    [
        ("file:///etc/hostname", "leads to file"),
        ("ftp://127.0.0.1/a.jpg", "leads to ftp"),
        ("http://user:word@127.0.0.1/a.jpg", "holds a password"),  # pragma: allowlist secret
        ("http://other.example/a.jpg", "leads to other.example, which --hosts does not name"),
    ],
)
async def test_a_redirect_is_held_to_what_the_url_is_held_to(server, elsewhere, part):
    server.elsewhere = elsewhere
    with pytest.raises(NotFetched, match=part):
        await content(server.url("moved.jpg"), "127.0.0.1", hosts=("127.0.0.1",))


def test_the_address_that_is_connected_to_is_the_one_that_is_checked():
    """A name that resolves to another address each time meets this check with each of them."""
    guard = Guard()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with pytest.raises(PrivateAddress):
            guard.socket((family, socket.SOCK_STREAM, 6, "shop.example", (address, 80)))
    with guard.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 80))) as ours:
        assert ours.type == socket.SOCK_STREAM


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.168.1.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1"),
        *("fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "2002:7f00:1::"),
        *("64:ff9b::a9fe:a9fe", "2001:db8::1", "2001:0:1::1"),
    ],
)
def test_addresses_of_no_public_network_are_known(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1", "64:ff9b::101:101", "2002:101:101::"]
)
def test_public_addresses_are_known(address):
    assert is_public(address)


def test_hosts_are_names_and_all_below_a_name():
    limits = FetchLimits(1, 1.0, 1, 1, parse_hosts("CDN.example.com., *.shop.example"))
    assert limits.allows("cdn.example.com")
    assert limits.allows("a.b.shop.example")
    assert not limits.allows("shop.example")
    assert not limits.allows("evilshop.example")
    assert not limits.allows("cdn.example.com.evil.example")
    assert FetchLimits(1, 1.0, 1, 1).allows("anything.example")
    for text in ("https://a.example", "a.*.example", "a.example:80"):
        with pytest.raises(InputError, match="names of hosts alone"):
            parse_hosts(text)
    with pytest.raises(InputError, match="write a network"):
        parse_networks(["here"])
