"""PPClient against a server that recovers sessions, over lines that are cut."""
import json
import os
import re
import time
from pathlib import Path

import pytest

from client_peer import App
from cutting import CuttingProxy
from painda import Server, WebSocket, eventually, frame
from recovering import Client, Recovering

CHATTERS = Path(__file__).parent / "apps" / "chatters.lua"


def url(server):
    return f"ws://127.0.0.1:{server.port}"


def test_a_client_goes_on_where_it_was():
    with Recovering() as server, CuttingProxy(server) as proxy, App(url(proxy), """
        local client = painda.PPClient { url = URL, reconnectDelay = 200, jitter = 0 }
        client:on("connect", function() say("connect", client.id, client.recoverySessionId == client.id) end)
        client:on("recovery", function(found) say("recovery", found) end)
        client:on("n", function(payload) say("n", payload.n) end)
        client:on("disconnect", function() client:emit("join", "while away") say("cut") end)
    """) as app:
        sid = app.until("connect")[0]
        other = Client(server)
        other.ask("tell", {"to": sid, "count": 2})
        app.heard("n", 1), app.heard("n", 2)
        proxy.cut_all()
        app.heard("cut")
        server.said("gone", sid)
        other.ask("tell", {"to": sid, "from": 3, "count": 2})
        app.heard("recovery", {"sid": sid, "offset": 4, "recovered": True, "missedCount": 2})
        app.heard("connect", sid, True)
        app.heard("n", 3), app.heard("n", 4)
        eventually(lambda: other.ask("state", sid)["tag"] == "while away", "what was queued meanwhile")
        other.ask("end", sid)


def test_an_answer_outlives_the_line_that_brought_the_question():
    with Recovering() as server, CuttingProxy(server) as proxy, App(url(proxy), """
        local client = painda.PPClient { url = URL, reconnectDelay = 10 }
        client:on("connect", function() say("connect", client.id) end)
        client:on("question", function(_, ack)
            say("asked")
            painda.sleep(300)
            ack(nil, "after a pause")
        end)
    """) as app:
        sid = app.until("connect")[0]
        other = Client(server)
        other.ask("ask", sid)
        app.until("asked")
        proxy.cut_all()
        assert server.said("answer", None, "after a pause")
        other.ask("end", sid)


def test_a_session_that_is_gone_is_said_to_be():
    with Recovering("recovery = { retentionMs = 10 }") as server, CuttingProxy(server) as proxy, App(url(proxy), """
        local client = painda.PPClient { url = URL, reconnectDelay = 200, jitter = 0 }
        client:on("connect", function() say("connect", client.id) end)
        client:on("recovery", function(found) say("recovery", found.recovered, found.sid) end)
    """) as app:
        sid = app.until("connect")[0]
        proxy.cut_all()
        recovered, fresh = app.until("recovery")
        assert not recovered and fresh != sid
        app.heard("connect", fresh)
        Client(server).ask("end", fresh)


CHATTERS_COUNT = int(os.environ.get("PP_CHATTERS", "200"))


def chaos(seconds, every, options="", seed=1):
    count = CHATTERS_COUNT
    with Recovering(f"maxConnectionsPerIp = 0, heartbeat = {{ interval = 400, timeout = 400 }}, {options}") as server:
        with CuttingProxy(server, every, seed) as proxy:
            env = {"URL": url(proxy), "CHATTERS": str(count), "SECONDS": str(seconds)}
            with Server(CHATTERS, port=None, listens=False, env=env) as chatters:
                chatters.wait_for('say \\["quiet"', patience=seconds + 60)
                proxy.calm()
                patience = time.monotonic() + 60
                while not (found := re.search(r'(?m)^say \["report",(.*)\]$', chatters.log)):
                    assert time.monotonic() < patience, chatters.log[-5000:]
                    with WebSocket(server) as last:  # again: who comes back to another session hears the next one
                        last.send(frame("chat", {"final": True}))
                        time.sleep(0.3)
                report = json.loads(found.group(1))
                print(f"{proxy.cuts} cuts, {report}")
                assert report["wrong"] == 0, chatters.log[-5000:]
                assert proxy.cuts > count / 2
                return report


@pytest.mark.slow
def test_lines_cut_at_random_bytes_lose_nothing():
    report = chaos(4, 20000, "recovery = { maxBufferSize = 1000 }")
    assert report["fresh"] == 0, "nothing was too old"
    assert report["recovered"] > CHATTERS_COUNT / 2


@pytest.mark.slow
def test_what_is_lost_is_told():
    assert chaos(3, 20000, "recovery = { maxBufferSize = 3 }", seed=2)["fresh"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("every", [3000, 60000])
def test_a_minute_of_cuts(every):
    assert chaos(60, every, "recovery = { maxBufferSize = 1000 }", seed=every)["recovered"] > CHATTERS_COUNT / 2
