"""`bedrock_resolve`: addresses follow DNS, in a network where DNS says what a test wants."""

import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from conftest import MODULE, NGINX, eventually, listens
from network import Servers, private_network
from ready import certificate

VALID = "valid=200ms"
ADDRESSES = [f"127.0.1.{n}" for n in range(1, 61)]
LOCATION = 'location / { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_connect_timeout 2s; proxy_pass http://up; }'


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with private_network(tmp_path_factory.mktemp("network")) as dns:
        yield dns


@pytest.fixture
def dns(network):
    network.names.clear()
    network.asked.clear()
    return network


@pytest.fixture
def servers(network):
    one = Servers([*ADDRESSES, "::1", "fd00:9::1"])
    yield one
    one.close()


def upstream(*lines, resolve=VALID, before="", after=""):
    servers = "".join(f"server {line.replace(':P', ':8001')};" for line in lines)
    return f"upstream up {{ {before} bedrock_resolve {resolve}; {servers} {after} }}"


def ask(gateway, path="/"):
    """The address that answered; its status, if it is another one than 200."""
    try:
        with urllib.request.urlopen(gateway.url + path, timeout=20) as answer:
            text = answer.read().decode()
            assert text[: len(text) // 2] == text[len(text) // 2 :]
            return text[: len(text) // 2]
    except urllib.error.HTTPError as error:
        return error.code


def asked(gateway, count):
    return Counter(ask(gateway) for _ in range(count))


def follows(gateway, address, seconds=5):
    """Whether all requests go there, soon."""
    return eventually(lambda: set(asked(gateway, 6)) == {address}, seconds)


def all_follow(gateway, change):
    """Makes a change, and waits until each worker has exchanged its addresses."""
    before = len(gateway.errors())
    change()
    exchanged = r"(\d+)#\d+: bedrock: upstream \"up\" has \d+ addresses by name now"
    return eventually(lambda: gateway.workers() <= set(map(int, re.findall(exchanged, gateway.errors()[before:]))))


def test_addresses_are_exchanged_under_requests(nginx, dns, servers):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P", after="keepalive 8;"), workers=2)
    assert asked(gateway, 10) == {"127.0.1.1": 10}
    got = []
    slow = threading.Thread(target=lambda: got.append(ask(gateway, "/slow")))
    slow.start()
    assert eventually(lambda: servers.requests["127.0.1.1"] == 11)
    assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ["127.0.1.2"]}))
    # Nothing goes there again, not even over connections that are open and idle.
    servers.requests.clear()
    assert asked(gateway, 50) == {"127.0.1.2": 50} and set(servers.requests) == {"127.0.1.2"}
    servers.release()
    slow.join()
    assert got == ["127.0.1.1"]
    dns.names["bedrock.test"] = ["127.0.1.1", "127.0.1.2"]
    assert eventually(lambda: set(asked(gateway, 8)) == {"127.0.1.1", "127.0.1.2"})
    assert "[error]" not in gateway.errors() and "[warn]" not in gateway.errors()


@pytest.mark.parametrize("failure", ["nxdomain", "servfail", "silent", []], ids=str)
def test_the_last_addresses_stay(nginx, dns, servers, failure):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P"))
    dns.names["bedrock.test"] = failure
    warning = r'\[warn\] .*host "bedrock.test" could not be looked up: .*; the last addresses go on to be used, 1 of them'
    assert eventually(lambda: re.search(warning, gateway.errors()))
    before = sum(dns.asked.values())
    assert eventually(lambda: sum(dns.asked.values()) > before + 4)
    assert asked(gateway, 20) == {"127.0.1.1": 20}
    # Once for each change, not for each attempt.
    assert len(re.findall("could not be looked up", gateway.errors())) == 1
    dns.names["bedrock.test"] = ["127.0.1.3"]
    assert follows(gateway, "127.0.1.3")
    assert gateway.errors().count('host "bedrock.test" can be looked up again: 1 addresses') == 1


@pytest.mark.parametrize("failure", ["nxdomain", "servfail", "silent"])
def test_nginx_starts_without_dns(nginx, dns, servers, failure):
    dns.names["bedrock.test"] = failure
    gateway = nginx(LOCATION, upstream("bedrock.test:P"))
    assert re.search(r'\[warn\] .*host "bedrock.test" could not be looked up \(.*\); .* in \S+nginx.conf:\d+', gateway.errors())
    assert asked(gateway, 3) == {502: 3}
    assert not servers.requests
    dns.names["bedrock.test"] = ["127.0.1.1"]
    assert follows(gateway, "127.0.1.1")


@pytest.mark.parametrize("failure", ["servfail", "silent"])
def test_a_respawned_worker_and_a_reload_know_the_last_addresses(nginx, dns, servers, failure):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P"), workers=2)
    assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ["127.0.1.2"]}))
    dns.names["bedrock.test"] = failure
    assert eventually(lambda: "could not be looked up" in gateway.errors())
    for _ in range(3):
        before = gateway.workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: len(gateway.workers() - before) == 2)
        assert asked(gateway, 20) == {"127.0.1.2": 20}
    before = gateway.workers()
    gateway.reload()
    assert eventually(lambda: not gateway.workers() & before)
    assert asked(gateway, 20) == {"127.0.1.2": 20}


def test_a_reload_begins_with_new_names(nginx, dns, servers):
    dns.names |= {"one.test": ["127.0.1.1"], "two.test": ["127.0.1.2"]}
    gateway = nginx(LOCATION, upstream("one.test:P"))
    gateway.configure(LOCATION, upstream("one.test:P", "two.test:P"))
    before = gateway.workers()
    gateway.reload()
    assert eventually(lambda: not gateway.workers() & before)
    assert asked(gateway, 10) == {"127.0.1.1": 5, "127.0.1.2": 5}


def test_fifty_addresses(nginx, dns, servers):
    dns.names["bedrock.test"] = ADDRESSES[:50]
    gateway = nginx(LOCATION, upstream("bedrock.test:P"))
    assert asked(gateway, 100) == dict.fromkeys(ADDRESSES[:50], 2)
    assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ADDRESSES[5:60]}))
    assert set(asked(gateway, 110)) == set(ADDRESSES[5:60])


def test_ipv6(nginx, dns, servers):
    dns.names["bedrock.test"] = ["::1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P"))
    assert asked(gateway, 10) == {"::1": 10}
    dns.names["bedrock.test"] = ["fd00:9::1", "127.0.1.1"]
    assert eventually(lambda: set(asked(gateway, 6)) == {"fd00:9::1", "127.0.1.1"})


def test_without_ipv6(nginx, dns, servers):
    dns.names["bedrock.test"] = ["::1", "127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P", resolve="valid=100ms ipv6=off"))
    assert asked(gateway, 10) == {"127.0.1.1": 10}
    assert eventually(lambda: dns.asked["bedrock.test", "A"] > 5)
    assert not dns.asked["bedrock.test", "AAAA"]


def test_a_lookup_that_hangs_holds_up_nobody(nginx, dns, servers):
    """The system's resolver waits for ever for an answer over TCP, and cannot be stopped."""
    dns.names |= {"hangs.test": ["127.0.1.9"], "bedrock.test": ["127.0.1.1"]}
    hangs = "upstream hangs { bedrock_resolve valid=200ms; server hangs.test:8001; }"
    gateway = nginx(LOCATION, hangs + upstream("bedrock.test:P"), workers=2)
    dns.names["hangs.test"] = "stuck"
    before = dns.asked["hangs.test", "A"]
    assert eventually(lambda: dns.asked["hangs.test", "A"] > before + 3)
    assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ["127.0.1.2"]}))
    # A reload waits a few seconds for an answer, while its workers work.
    workers = gateway.workers()
    gateway.process.send_signal(signal.SIGHUP)
    assert asked(gateway, 20) == {"127.0.1.2": 20}
    assert eventually(lambda: not gateway.workers() & workers, 15)
    assert asked(gateway, 20) == {"127.0.1.2": 20}
    assert eventually(lambda: dns.asked["hangs.test", "A"] > before + 8)
    started = time.monotonic()
    gateway.process.send_signal(signal.SIGQUIT)
    assert gateway.process.wait(10) == 0 and time.monotonic() - started < 2
    assert "exited on signal" not in gateway.errors() and "open socket" not in gateway.errors()


def test_threads_that_cannot_be_stopped_find_their_code(nginx):
    """nginx unloads its modules before a worker ends; this one stays."""
    flags = subprocess.run(["readelf", "--dynamic", "--wide", MODULE], capture_output=True, text=True, check=True).stdout
    assert re.search(r"FLAGS_1.*NODELETE", flags)


def test_weights_fixed_servers_and_backup(nginx, dns, servers):
    dns.names |= {"bedrock.test": ["127.0.1.1", "127.0.1.2"], "other.test": ["127.0.1.8"]}
    lines = ("bedrock.test:P weight=3", "127.0.1.7:P weight=2", "other.test:P backup")
    gateway = nginx(LOCATION, upstream(*lines))
    assert asked(gateway, 80) == {"127.0.1.1": 30, "127.0.1.2": 30, "127.0.1.7": 20}
    servers.dead |= {"127.0.1.1", "127.0.1.2", "127.0.1.7"}
    assert follows(gateway, "127.0.1.8")
    dns.names["other.test"] = ["127.0.1.9"]
    assert follows(gateway, "127.0.1.9")


def test_a_backup_serves_where_a_name_is_unknown(nginx, dns, servers):
    gateway = nginx(LOCATION, upstream("bedrock.test:P", "127.0.1.8:P backup"))
    assert asked(gateway, 5) == {"127.0.1.8": 5}


def test_a_server_that_is_down(nginx, dns, servers):
    dns.names |= {"bedrock.test": ["127.0.1.1"], "other.test": ["127.0.1.2"]}
    gateway = nginx(LOCATION, upstream("bedrock.test:P down", "other.test:P"))
    assert asked(gateway, 6) == {"127.0.1.2": 6}


def test_failures_are_remembered_over_changes(nginx, dns, servers):
    """An address that stays is not tried anew because another one came."""
    servers.dead.add("127.0.1.1")
    dns.names["bedrock.test"] = ["127.0.1.1", "127.0.1.2"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P max_fails=1 fail_timeout=60s", resolve="valid=100ms"))
    assert 502 not in asked(gateway, 4)
    assert servers.requests["127.0.1.1"] == 1
    for n in range(3, 9):
        dns.names["bedrock.test"] = ["127.0.1.1", f"127.0.1.{n}"]
        assert follows(gateway, f"127.0.1.{n}")
    assert servers.requests["127.0.1.1"] == 1


def test_connections_are_counted_over_changes(nginx, dns, servers):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P max_conns=2", resolve="valid=100ms"))
    slow = [threading.Thread(target=ask, args=(gateway, "/slow")) for _ in range(2)]
    for one in slow:
        one.start()
    assert eventually(lambda: servers.requests["127.0.1.1"] == 2)
    for n in range(2, 5):
        dns.names["bedrock.test"] = ["127.0.1.1", f"127.0.1.{n}"]
        assert follows(gateway, f"127.0.1.{n}")
    dns.names["bedrock.test"] = ["127.0.1.1"]
    assert follows(gateway, 502)
    servers.release()
    for one in slow:
        one.join()
    assert follows(gateway, "127.0.1.1")
    # Gone, and back: those that are still connected belong to the time before.
    assert asked(gateway, 20) == {"127.0.1.1": 20}


def test_tls_sessions_are_kept_over_changes(nginx, dns, tmp_path):
    certificate(tmp_path)
    listen = "".join(f"listen {address}:8443 ssl;" for address in ADDRESSES[:5])
    tls = f"ssl_certificate {tmp_path}/gateway.crt; ssl_certificate_key {tmp_path}/gateway.key; ssl_session_cache shared:s:1m;"
    server = f"server {{ {listen} {tls} location / {{ return 200 $server_addr$ssl_session_reused; }} }}"
    dns.names["bedrock.test"] = ["127.0.1.1"]
    upstream_of_tls = "upstream up { bedrock_resolve valid=100ms; server bedrock.test:8443; }"
    gateway = nginx("location / { proxy_pass https://up; }", server + upstream_of_tls)

    def answers(count):
        with_tls = lambda: urllib.request.urlopen(gateway.url, timeout=20).read().decode()  # noqa: E731
        return {with_tls() for _ in range(count)}

    assert answers(1) == {"127.0.1.1."}
    assert eventually(lambda: answers(1) == {"127.0.1.1r"})
    for n in range(2, 6):
        assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ["127.0.1.1", f"127.0.1.{n}"]}))
        seen = answers(8)
        # The new address had a first time; the one that stays had none.
        assert seen == {"127.0.1.1r", f"127.0.1.{n}.", f"127.0.1.{n}r"}
    assert "[alert]" not in gateway.errors()


@pytest.mark.parametrize("balancer", ["least_conn;", "ip_hash;", "hash $request_id;", "hash $request_id consistent;"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_balancers(nginx, dns, servers, balancer, place):
    dns.names["bedrock.test"] = ADDRESSES[:3]
    lines = {place: balancer if place == "before" else balancer + " keepalive 4;"}
    gateway = nginx(LOCATION, upstream("bedrock.test:P", **lines))
    assert set(asked(gateway, 60)) <= set(ADDRESSES[:3])
    for some in (ADDRESSES[10:60], ADDRESSES[:1], ADDRESSES[3:5]):
        dns.names["bedrock.test"] = some
        assert eventually(lambda: set(asked(gateway, 30)) <= set(some)), balancer
    dns.names["bedrock.test"] = "nxdomain"
    assert set(asked(gateway, 30)) <= set(ADDRESSES[3:5])


def test_a_failure_asks_at_once(nginx, dns, servers):
    """Not before `valid` is over, but within a second or two."""
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P", resolve="valid=1h"))
    assert asked(gateway, 2) == {"127.0.1.1": 2}
    servers.dead.add("127.0.1.1")
    dns.names["bedrock.test"] = ["127.0.1.2"]
    assert follows(gateway, "127.0.1.2")


def test_workers_share_what_they_ask(nginx, dns, servers):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P", resolve="valid=400ms"), workers=8)
    dns.asked.clear()
    time.sleep(4)
    assert 8 <= dns.asked["bedrock.test", "A"] <= 11
    assert all_follow(gateway, lambda: dns.names.update({"bedrock.test": ["127.0.1.2"]}))


def test_etc_hosts(nginx, dns, servers):
    written = dns.hosts.read_text()
    dns.hosts.write_text(written + "127.0.1.1 in.hosts\n")
    gateway = nginx(LOCATION, upstream("in.hosts:P"))
    assert asked(gateway, 2) == {"127.0.1.1": 2}
    dns.hosts.write_text(written + "127.0.1.2 in.hosts\n")
    assert follows(gateway, "127.0.1.2")
    dns.hosts.write_text(written)


def test_a_name_by_variable(nginx, dns, servers):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    location = "set $where bedrock.test; location / { proxy_pass http://$where; }"
    gateway = nginx(location, "upstream bedrock.test { bedrock_resolve valid=200ms; server bedrock.test:8001; }")
    assert asked(gateway, 2) == {"127.0.1.1": 2}
    dns.names["bedrock.test"] = ["127.0.1.2"]
    assert follows(gateway, "127.0.1.2")


def test_without_a_master(nginx, dns, servers):
    dns.names["bedrock.test"] = ["127.0.1.1"]
    gateway = nginx(LOCATION, upstream("bedrock.test:P"))
    gateway.close()
    alone = "daemon off; master_process off;"
    single = subprocess.Popen([NGINX, "-p", f"{gateway.directory}/", "-e", "error.log", "-c", f"{gateway.directory}/nginx.conf", "-g", alone])
    try:
        assert eventually(lambda: listens(gateway.port))
        assert asked(gateway, 2) == {"127.0.1.1": 2}
        dns.names["bedrock.test"] = ["127.0.1.2"]
        assert follows(gateway, "127.0.1.2")
    finally:
        single.send_signal(signal.SIGQUIT)
        assert single.wait(10) == 0
