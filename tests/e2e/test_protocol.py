"""The wire in both directions, as a peer sees it that builds its frames by hand."""
import asyncio
import json
import random
import re
import struct
import zlib

import pytest
import websockets

from lab import Asker, Lab, ack_of, answer, asked, client_id
from painda import (
    BINARY_MESSAGE, COMPRESSED, CONTINUATION, PATIENCE, SCHEMA, Server, WebSocket, envelope, frame,
    parse_frames, raw_frame, ws_frame,
)  # fmt: skip

pytestmark = pytest.mark.asan


def error_of(ws):
    return ws.receive_frame("__pp_error").payload["code"]


def schema_frame(type_id, body, *, version=0, flags=SCHEMA):
    return raw_frame(body, flags=flags, type_id=type_id, schema_version=version)


# --- JSON


def test_a_quick_start():
    source = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }

    server:on("connection", function(client)
      client:on("message", function(msg)
        print("received", msg.type, msg.payload)
        client:emit("hello", "World")
      end)
    end)
    """
    with Server(source) as server, WebSocket(server) as ws:
        ws.send(frame("greet", "you"))
        assert ws.receive_frame().envelope == {"type": "hello", "payload": "World"}
        ws.send(envelope("greet", "you").decode())
        assert ws.receive_json() == {"type": "hello", "payload": "World"}


@pytest.mark.parametrize(
    "payload",
    [None, True, 0, -1.5, 1e300, 2**53, "", "ä\u0000\U0001f600\\\"/", [], {}, [[]], [{}], [1, [2, [3]]], {"a": {"b": [None]}}],
)
def test_json_comes_back_as_it_went(ws, payload):
    ws.send(frame("echo", payload))
    answer = ws.receive_frame()
    assert answer.envelope == {"type": "echo", "payload": payload}
    assert (answer.flags, answer.type_id, answer.schema_version) == (0, 0, 0)


def test_unknown_flags_are_ignored(ws):
    ws.send(raw_frame(envelope("echo", 1), flags=0xFFF0))
    assert ws.receive_frame().payload == 1


def test_the_header_of_an_answer_carries_the_mode_of_the_server():
    with Lab('mode = "gaming"') as server, WebSocket(server) as ws:
        ws.send(frame("echo", 1, mode="voice"))
        assert ws.receive_frame().mode == 2


def test_text_is_answered_in_text_and_binary_in_binary(ws):
    ws.send(envelope("echo", {"n": 1}).decode())
    assert ws.receive() == '{"type":"echo","payload":{"n":1}}'
    ws.send(frame("echo", 2))
    assert ws.receive_frame().payload == 2
    ws.send(envelope("echo", 3).decode())
    assert ws.receive_json()["payload"] == 3


def test_text_may_stand_between_spaces_and_in_any_order_of_keys(ws):
    ws.send(' {"__ackId" : 5 , "payload":[ 1 ], "extra": {"type":"x"}, "type":"echo"} ')
    assert ws.receive_json() == {"type": "echo", "payload": [1]}
    assert ws.receive_json() == {"type": "__pp_ack", "payload": {"ackId": 5, "args": [[1]]}}


def test_an_absent_payload_is_null(ws):
    ws.send('{"type":"echo"}')
    assert ws.receive_json() == {"type": "echo", "payload": None}


def test_errors_in_text_mode_are_text(ws):
    ws.send("no json")
    assert ws.receive_json("__pp_error")["payload"]["code"] == "DECODE_ERROR"


def test_a_message_in_fragments(ws):
    whole = frame("echo", "x" * 1000)
    ws.send(whole[:10], fin=False)
    for at in range(10, len(whole), 100):
        ws.send_bytes(_continuation(whole[at : at + 100], fin=at + 100 >= len(whole)))
        ws.send_ping(b"between")  # control frames may come between
    assert ws.receive_frame().payload == "x" * 1000


def _continuation(piece, fin):
    return ws_frame(CONTINUATION, piece, fin=fin)


def test_messages_come_out_in_the_order_they_went_in(ws):
    ws.send_bytes(b"".join(_binary(frame("echo", i)) for i in range(500)))
    assert [ws.receive_frame().payload for _ in range(500)] == list(range(500))


def _binary(message):
    return ws_frame(BINARY_MESSAGE, message)


# --- compression


def test_compression_in_from_any_size(ws):
    for payload in ("", "x" * 10, "x" * 100_000):
        ws.send(frame("echo", payload, compress=True))
        assert ws.receive_frame().payload == payload


@pytest.mark.parametrize("size, compressed", [(900, False), (1000, True), (100_000, True)])
def test_compression_out_from_the_threshold(ws, size, compressed):
    ws.send(frame("echo", "x" * size))
    answer = ws.receive_frame()
    assert answer.payload == "x" * size
    assert bool(answer.flags & COMPRESSED) == compressed


def test_the_threshold_is_exact(ws):
    wrapping = len(envelope("echo", ""))
    for size, compressed in ((1023 - wrapping, False), (1024 - wrapping, True)):
        ws.send(frame("echo", "x" * size))
        assert bool(ws.receive_frame().flags & COMPRESSED) == compressed


def test_what_does_not_shrink_is_sent_as_it_is():
    noise = random.Random(1).randbytes(4096)
    with Lab() as server, WebSocket(server) as ws:
        ws.send(schema_frame(10, noise))
        answer = ws.receive_frame()
        assert answer.body == noise
        assert not answer.flags & COMPRESSED


def test_compression_can_be_off_and_still_understands_it():
    with Lab('compression = "none"') as server, WebSocket(server) as ws:
        ws.send(frame("echo", "x" * 5000, compress=True))
        answer = ws.receive_frame()
        assert answer.payload == "x" * 5000
        assert not answer.flags & COMPRESSED


def test_text_is_never_compressed(ws):
    ws.send(envelope("echo", "x" * 5000).decode())
    assert ws.receive_json()["payload"] == "x" * 5000


# --- schemas


@pytest.mark.parametrize(
    "type_id, version, body",
    [
        (7, 1, struct.pack(">ff", 1.5, -2.25)),
        (8, 2, struct.pack(">hhh", 1, -2, 3)),
        (9, 1, "grüß".encode()),
        (10, 1, bytes(range(256))),
        (11, 1, b'{"a":[1,2,null]}'),
        (12, 1, struct.pack(">I", 10) + b'{"name":1}' + b"\x00\xff"),
    ],
)
def test_schema_frames_both_ways(ws, type_id, version, body):
    for sent_version in (version, 0):  # 0: a peer that doesn't know of versions
        ws.send(schema_frame(type_id, body, version=sent_version))
        answer = ws.receive_frame()
        assert (answer.type_id, answer.schema_version, answer.body) == (type_id, version, body)
        assert answer.flags == SCHEMA


def test_a_schema_payload_may_be_compressed(ws):
    body = b"compress me " * 1000
    ws.send(schema_frame(10, zlib.compress(body), flags=SCHEMA | COMPRESSED))
    answer = ws.receive_frame()
    assert answer.body == body
    assert answer.flags == SCHEMA | COMPRESSED


def test_an_older_schema_is_upgraded(ws):
    ws.send(schema_frame(8, struct.pack(">hh", 1, 2), version=1))
    assert ws.receive_frame().body == struct.pack(">hhh", 1, 2, 100)


@pytest.mark.parametrize("type_id, version", [(8, 3), (8, 65535), (7, 2)])
def test_a_version_nobody_upgrades_is_refused(ws, type_id, version):
    ws.send(schema_frame(type_id, bytes(8), version=version))
    assert error_of(ws) == "SCHEMA_ERROR"
    ws.send(frame("echo", "goes on"))
    assert ws.receive_frame().payload == "goes on"


@pytest.mark.parametrize(
    "type_id, body", [(7, bytes(7)), (7, bytes(9)), (7, b""), (8, bytes(5)), (9, b"\xff\xfe"), (12, b"\0\0\0\xff{}"), (12, b"")]
)
def test_a_schema_payload_of_the_wrong_size_is_refused(ws, type_id, body):
    ws.send(schema_frame(type_id, body))
    assert error_of(ws) == "SCHEMA_ERROR"


def test_an_unknown_schema_id_is_refused(ws):
    for type_id in (77, 0xFF00, 0xFFFF):
        ws.send(schema_frame(type_id, b"whatever"))
        assert error_of(ws) in ("DECODE_ERROR", "SCHEMA_ERROR")


def test_a_type_with_a_schema_that_needs_an_ack_travels_as_json(ws):
    ws.send(frame("as-json", {"type": "move", "payload": {"x": 1, "y": 2}}))
    asked = ws.receive_frame()
    assert asked.envelope == {"type": "move", "payload": {"x": 1, "y": 2}, "__ackId": asked.envelope["__ackId"]}


def test_a_type_with_a_schema_is_also_read_from_json(ws):
    ws.send(frame("move", {"x": 1, "y": 2}))
    assert ws.receive_frame().body == struct.pack(">ff", 1, 2)


def test_a_schema_reaches_a_text_client_as_json(ws):
    ws.send(envelope("move", {"x": 1, "y": 2}).decode())
    assert ws.receive_json() == {"type": "move", "payload": {"x": 1, "y": 2}}


# --- batches


def test_a_batch_in_where_it_was_agreed_on(lab):
    with WebSocket(lab, query={"pp_caps": "batch"}) as ws:
        ws.send(b"".join(frame("echo", i, compress=i % 2 == 0) for i in range(20)))
        got = []
        while len(got) < 20:
            got += [part.payload for part in parse_frames(ws.receive())]
        assert got == list(range(20))


def test_a_batch_out_where_it_was_agreed_on(lab):
    with WebSocket(lab, query={"pp_caps": "state,batch,other"}) as ws:
        ws.send(frame("flood", 50))
        messages = [parse_frames(ws.receive())]
        while sum(map(len, messages)) < 50:
            messages.append(parse_frames(ws.receive()))
        assert [part.payload for message in messages for part in message] == list(range(1, 51))
        assert len(messages) < 50, "what is sent in one turn goes out as a batch"


@pytest.mark.parametrize("query", [None, {"pp_caps": ""}, {"pp_caps": "state"}, {"pp_caps": "batches"}, {"caps": "batch"}])
def test_a_batch_is_refused_where_it_was_not_agreed_on(lab, query):
    with WebSocket(lab, query=query) as ws:
        ws.send(frame("echo", 1) + frame("echo", 2))
        assert error_of(ws) == "DECODE_ERROR"
        ws.send(frame("flood", 20))
        assert [ws.receive_frame().payload for _ in range(20)] == list(range(1, 21))  # one frame a message


def test_a_batch_with_one_bad_frame_gives_the_others(lab):
    with WebSocket(lab, query={"pp_caps": "batch"}) as ws:
        ws.send(frame("echo", 1) + raw_frame(b"no json") + frame("echo", 2))
        got = []
        while len(got) < 3:
            got += parse_frames(ws.receive())
        assert [part.type for part in got] == ["echo", "__pp_error", "echo"]


# --- listeners


def test_once_hears_once(ws):
    for payload in (1, 2):
        ws.send(frame("once", payload))
    ws.send(frame("echo", "next"))
    assert [ws.receive_frame().envelope for _ in range(2)] == [
        {"type": "once", "payload": 1},
        {"type": "echo", "payload": "next"},
    ]


def test_off_stops_a_listener(ws):
    for type in ("counted", "counted-off", "counted", "echo"):
        ws.send(frame(type))
    assert [ws.receive_frame().type for _ in range(2)] == ["counted", "echo"]


def test_onAny_hears_all_until_offAny(ws):
    for type in ("any-on", "nobody-listens", "any-off", "nobody-listens", "echo"):
        ws.send(frame(type, type))
    assert ws.receive_frame("any").payload == {"type": "nobody-listens", "payload": "nobody-listens"}
    assert ws.receive_frame().type == "echo"


def test_message_hears_every_type(ws):
    ws.send(frame("message-on"))
    for type in ("echo", "unknown", "message", "disconnect", "error"):
        ws.send(frame(type, 1))
    heard = [ws.receive_frame("heard").payload for _ in range(5)]
    assert heard == ["echo", "unknown", "message", "disconnect", "error"]


def test_server_level_once_and_any():
    with Lab() as server, WebSocket(server) as ws:
        for payload in (1, 2):
            ws.send(frame("server-once", payload))
        ws.send(frame("seen-by-any", 3))
        assert [ws.receive_frame().envelope for _ in range(2)] == [
            {"type": "server-once", "payload": 1},
            {"type": "server-any", "payload": 3},
        ]
        assert Asker(ws)("server-any-off") is True
        ws.send(frame("seen-by-any", 4))
        ws.send(frame("echo", 5))
        assert ws.receive_frame().payload == 5


def test_a_message_object_has_its_fields(ws):
    ws.send(frame("fields", {"p": 1}, ack_id=42))
    assert ws.receive_frame("fields").payload == {"type": "fields", "payload": {"p": 1}, "ack": 42, "ns": None}


EVENTS = ["connection", "disconnection", "disconnect", "message", "error", "close", "reload", "roomJoin", "roomLeave"]


@pytest.mark.parametrize("type", EVENTS)
def test_messages_named_like_events_fire_none(lab, type):
    with WebSocket(lab) as ws:
        mine = client_id(ws)
        lab.said("event", "connection", mine)  # the last word about its beginning
        mark = lab.mark()
        for message in (frame(type, {"reason": "forged"}), envelope(type, "forged").decode()):
            ws.send(message)
        ws.send(frame("mark"))
        lab.said("mark", mine)
        said = [line for line in lab.log.splitlines()[mark:] if line.startswith("say")]
        assert [line for line in said if mine in line or "forged" in line] == [f'say ["mark","{mine}"]']


def test_a_message_for_another_namespace_is_refused(ws):
    ws.send(frame("echo", 1, ns="/admin"))
    assert error_of(ws) == "NAMESPACE_ERROR"
    ws.send(frame("echo", 2, ns="/"))
    assert ws.receive_frame().payload == 2


# --- an independent peer


@pytest.mark.parametrize("compression", [None, "deflate"])  # permessage-deflate is offered, and not agreed on
def test_python_websockets_as_the_peer(lab, compression):
    async def talk():
        async with websockets.connect(lab.url(path="/peer"), compression=compression, max_size=None) as peer:
            assert not peer.extensions
            for payload in ("x", "y" * 200, {"z": ["ü" * 70_000]}):
                await peer.send(frame("echo", payload))
                (answer,) = parse_frames(await peer.recv())
                assert answer.payload == payload
                await peer.send(envelope("echo", payload).decode())
                assert json.loads(await peer.recv())["payload"] == payload
            await peer.send([frame("echo", "in parts")[:9], frame("echo", "in parts")[9:]])
            assert parse_frames(await peer.recv())[0].payload == "in parts"
            await asyncio.wait_for(await peer.ping(b"data"), PATIENCE)
            await peer.send(frame("close-me", {"code": 4000, "reason": "grüß"}))
            await asyncio.wait_for(peer.wait_closed(), PATIENCE)
            assert (peer.close_code, peer.close_reason) == (4000, "grüß")

    asyncio.run(asyncio.wait_for(talk(), PATIENCE))


# --- to many


def test_broadcast_reaches_all_but_the_excepted(lab):
    with WebSocket(lab) as a, WebSocket(lab) as b, WebSocket(lab) as c:
        c.send(envelope("echo", 0).decode())  # speaks text from here on
        c.receive_json("echo")
        client_id(a), client_id(b)
        for n, type in enumerate(("shout", "shout-by-id", "shout-others")):
            a.send(frame(type, n))
            assert b.receive_frame("shout").payload == n
            assert c.receive_json("shout")["payload"] == n
        a.send(frame("shout-all", "all"))
        assert a.receive_frame().envelope == {"type": "shout", "payload": "all"}
        assert b.receive_frame("shout").payload == "all"


def test_a_relayed_message_keeps_its_payload_to_the_byte():
    relay = """
    local painda = require "painda"
    local server = painda.PPServer { port = 3000 }
    server:on("connection", function(client)
      client:on("message", function(msg) server:broadcast(msg) end)
    end)
    """
    with Server(relay) as server, WebSocket(server) as one, WebSocket(server) as other:
        for type in ("relay", "rel\\u0061y"):
            one.send(raw_frame(b'{"type":"%s","payload":{"b":1.00, "a" : [ ]}}' % type.encode()))
            assert other.receive_frame().body == b'{"type":"relay","payload":{"b":1.00, "a" : [ ]}}'


def test_raw_bytes_and_raw_text(ws):
    ws.send(frame("raw", "as it is"))
    assert ws.receive() == b"as it is"
    assert ws.receive() == "as it is"


# --- what belongs to the protocol


@pytest.mark.parametrize("type", ["__pp_session", "__pp_shutdown", "__pp_error", "__pp_room_state", "__pp_", "__pp_anything"])
def test_types_of_the_protocol_from_a_client_are_dropped_and_counted(lab, ws, type):
    ask = Asker(ws)
    ws.send(frame("any-on"))
    before = ask("stats")["forbidden"]
    ws.send(frame(type, {"x": 1}))
    ws.send(envelope(type, {"x": 1}).decode())
    ws.send(frame("echo", "next"))
    assert ws.receive_frame().type == "any"  # of stats
    types = []
    while "echo" not in types:
        types.append(ws.receive_frame().type)
    assert type not in types and "__pp_error" not in types
    assert ask("stats")["forbidden"] == before + 2


@pytest.mark.parametrize("type", ["emit-protocol", "broadcast-protocol"])
def test_an_application_may_not_send_types_of_the_protocol(ws, type):
    assert "__pp_" in ack_of(ws, type)["error"]["message"]


def test_what_cannot_be_encoded_is_an_error_with_its_path(ws):
    got = ack_of(ws, "emit-nan")["error"]
    assert got["code"] == "ENCODE_ERROR"
    assert "a[2]" in got["message"], got


# --- who is there


@pytest.mark.parametrize(
    "query, headers, auth, token",
    [
        (None, {}, None, None),
        ({"token": "from query+&="}, {}, None, "from query+&="),
        (None, {"Authorization": "Bearer from-header"}, None, "from-header"),
        (None, {"Authorization": "Basic dXNlcg=="}, None, None),
        ({"token": "query"}, {"Authorization": "Bearer header"}, None, "query"),
        ({"token": "query"}, {"Authorization": "Bearer header"}, "auth", "auth"),
        (None, {}, "only auth", "only auth"),
    ],
)
def test_the_token_comes_from_auth_query_or_header(lab, query, headers, auth, token):
    with WebSocket(lab, query=query, **headers) as ws:
        if auth:
            ws.send(frame("__pp_auth", {"token": auth}))
        assert Asker(ws)("handshake")["token"] == token
        assert "from-header" not in lab.log and "only auth" not in lab.log


def test_a_long_token_is_kept_whole(lab):
    with WebSocket(lab, query={"token": "t" * 7000, "behind": "it"}) as ws:
        got = Asker(ws)("handshake")
        assert (got["token"], got["query"]["behind"]) == ("t" * 7000, "it")
    with WebSocket(lab, Authorization="Bearer " + "t" * 7000) as ws:
        assert Asker(ws)("handshake")["token"] == "t" * 7000


@pytest.mark.parametrize("payload", [None, 5, "token", {}, {"token": 5}, {"token": None}, {"token": {}}])
def test_an_odd_auth_message_changes_nothing(lab, payload):
    with WebSocket(lab, query={"token": "kept"}) as ws:
        ws.send(frame("__pp_auth", payload))
        assert Asker(ws)("handshake")["token"] == "kept"


def test_the_handshake_is_there_to_be_read(lab):
    with WebSocket(
        lab, "/play/here", query={"room": "a b", "empty": "", "ü": "%&="}, User_Agent="test/1", Cookie="a=1; b=2",
        Origin="https://example.com",
    ) as ws:  # fmt: skip
        got = Asker(ws)("handshake")
        assert got["path"] == "/play/here"
        assert got["query"] == {"room": "a b", "empty": "", "ü": "%&="}
        assert (got["address"], got["secure"]) == ("127.0.0.1", False)
        assert got["port"] == ws.sock.getsockname()[1]
        headers = got["headers"]
        assert headers["user-agent"] == "test/1"
        assert headers["cookie"] == "a=1; b=2"
        assert headers["origin"] == "https://example.com"
        assert headers["host"] == "127.0.0.1"


def test_tags_and_data_belong_to_one_client(lab, ws):
    ask = Asker(ws)
    assert ask("tags") == {"before": {"team": "red", "vip": True}, "team": "red", "has": False, "found": 1, "other": 0}
    ws.send(frame("remember", {"score": 3}))
    assert ask("recall") == {"score": 3}
    with WebSocket(lab) as other:
        assert Asker(other)("recall") is None


def test_ids_are_random_uuids(lab):
    seen = set()
    for _ in range(20):
        with WebSocket(lab) as ws:
            seen.add(client_id(ws))
    assert len(seen) == 20
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id) for id in seen), seen


def test_stats_count(ws):
    ask = Asker(ws)
    before = ask("stats")
    for i in range(10):
        assert ask("echo", i) == i
    after = ask("stats")
    assert after["messagesReceived"] == before["messagesReceived"] + 11
    assert after["messagesSent"] == before["messagesSent"] + 21
    assert after["clients"] >= 1
