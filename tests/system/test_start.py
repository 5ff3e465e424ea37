# SPDX-License-Identifier: MPL-2.0
"""Starting, refusing to start, ending, and what is kept in between."""

import json
import os
import signal
import socket
import stat

import pytest
import zmq

from fabric import DEADLINE_S, WEFTD, free_endpoint, request, run_weftd, send, wait_until
from fake_child import FakeChild

SYNTH = ("--source", "synth:packets=10")


def refused(*arguments, **fields):
    """A start that must fail: the one line of reason."""
    code, text = run_weftd("--name", "h2", *arguments, **fields)
    assert code == 1, text
    line = text.strip().splitlines()[-1]
    assert line.startswith("weftd: ")
    return line


def write_topology(tmp_path, nodes):
    path = tmp_path / "fabric.json"
    path.write_text(nodes if isinstance(nodes, str) else json.dumps({"nodes": nodes}))
    return str(path)


@pytest.mark.parametrize("endpoint", ["10.0.0.1", "0.0.0.0", "tcp://*:9338", "tcp://0.0.0.0:9338", "tcp://[::]:9338",
                                      "fd00::1",
                                      "tcp://128.0.0.1:9338", "tcp://127.0.0.1.example.org:9338",
                                      "tcp://[::ffff:10.0.0.1]:9338", "tcp://eth0:9338"])
def test_an_address_that_others_reach_is_refused_unless_insecure_is_spelled_out(endpoint):
    line = refused("--listen", endpoint, *SYNTH)
    assert "--insecure" in line and "refused" in line


def test_an_address_that_others_reach_is_taken_with_insecure_and_warned_of(fabric):
    node = fabric.add("h2", endpoint=free_endpoint())
    node.options = ["--insecure", "--listen", "tcp://*:" + free_endpoint().rsplit(":", 1)[1]]
    node.start()
    assert "warning: --insecure" in node.read_log()


@pytest.mark.parametrize("arguments, word", [
    (["--nonsense"], "--nonsense"), (["nonsense"], "nonsense"), (["--listen"], "--listen"),
    (["--queue", "65536"], "--queue"),
    (["--queue", "-1"], "--queue"), (["--queue", ""], "--queue"), (["--queue", "1x"], "--queue"),
    (["--log-level", "loud"], "loud"), (["--clock-offset", "soon"], "--clock-offset"), (["--name", "a b"], "name"),
    (["--name", ""], "name"), (["--name", "../x"], "name"), (["--name", "x" * 64], "name"),
    (["--listen", "udp://127.0.0.1:5"], "endpoint"), (["--listen", "127.0.0.1:0"], "endpoint"),
    (["--listen", "tcp://127.0.0.1"], "endpoint"), (["--listen", "tcp://127.0.0.1:99999"], "endpoint"),
    (["--listen", "x" * 300], "longer"), (["--child", "h3"], "--child"), (["--child", "=127.0.0.1"], "--child"),
    (["--child", "h3=tcp://127.0.0.1"], "endpoint"), (["--child", "a b=127.0.0.1"], "name"),
    (["--child", "h3=127.0.0.1", "--child", "h3=127.0.0.2"], "twice"),
    (["--source", "eth0"], "pcap:FILE"),
    (["--source", "synth:packets=x"], "packets"), (["--source", "synth:colour=1"], "colour"),
    (["--source", "pcap:"], "pcap"),
    (["--state", "/proc/nowhere"], "--state"), (["--topology", "/nonexistent.json"], "/nonexistent.json"),
    (["--state", "/dev/null"], "--state"),
])
def test_a_bad_option_is_refused_by_its_name(arguments, word):
    assert word in refused(*arguments)


def test_two_children_at_one_endpoint_are_refused():
    one = free_endpoint()
    assert "there already" in refused("--listen", free_endpoint(), *SYNTH, "--child", f"h3={one}", "--child",
                                      f"h4={one}")


def test_help_lists_the_options_and_version_is_told():
    code, text = run_weftd("--help")
    assert code == 0 and all(f"--{option}" in text for option in ("name", "listen", "child", "topology", "source",
                                                                  "state",
                                                                  "queue", "insecure", "log-level", "version", "help"))
    assert run_weftd("--version") == (0, "weftd 0.1.0\n")


def test_a_port_that_is_taken_is_refused_with_a_hint(fabric):
    node = fabric.start("h2")
    line = refused("--listen", node.endpoint, *SYNTH)
    assert node.endpoint in line and "running here already" in line
    assert node.ask("ping")["status"] == 200


def test_a_socket_file_that_a_node_uses_is_not_taken_from_it(fabric, tmp_path):
    node = fabric.start("h2", endpoint=f"ipc://{tmp_path}/h2.sock")
    line = refused("--listen", node.endpoint, *SYNTH)
    assert "running here already" in line
    assert node.ask("ping")["status"] == 200


def test_a_socket_file_that_a_crash_left_does_not_hinder_the_next_start(fabric, tmp_path):
    node = fabric.start("h2", endpoint=f"ipc://{tmp_path}/h2.sock")
    node.kill()
    assert os.path.exists(tmp_path / "h2.sock")
    node.start()
    assert node.ask("ping")["status"] == 200


def test_over_loopback_tcp_without_keys_only_questions_are_allowed(fabric, tmp_path):
    node = fabric.start("h2", options=("--listen", f"ipc://{tmp_path}/h2.sock"))
    assert "(queries only)" in node.read_log()
    for type_, fields in (("config sketch", {"interface": "INPUT"}), ("start source", {}),
                          ("remove sketch", {"sketch_id": 1}),
                          ("config sketch counter", {"sketch_id": 1, "counter_key_type": "src"}),
                          ("remove sketch counter", {"sketch_id": 1, "counter_key_type": "src"}),
                          ("add leaf agent", {"agent_addr": "10.0.0.1"}), ("remove leaf agent", {"name": "h3"})):
        reply = node.ask(type_, **fields)
        assert (reply["status"], reply["error"]["code"]) == (403, "denied")
        assert "ipc://" in reply["error"]["message"] and "--insecure" in reply["error"]["message"]
    for type_ in ("ping", "query status", "list sketches", "query leaf agents"):
        assert node.ask(type_)["status"] == 200
    assert node.ask_ok("list sketches") == {"sketches": []}


def test_over_ipc_everything_is_allowed_and_the_file_is_its_owners_alone(fabric, tmp_path):
    path = tmp_path / "h2.sock"
    node = fabric.start("h2", endpoint=f"ipc://{path}", options=())
    assert stat.S_ISSOCK(os.stat(path).st_mode) and os.stat(path).st_mode & 0o077 == 0
    assert node.ask_ok("config sketch", interface="INPUT") == {"sketch_id": 1, "id": "h2-1"}
    assert node.ask_ok("start source") == {"started": 1}


def test_a_socket_name_without_a_file_has_no_owner_and_may_only_query(fabric):
    """ipc://@name lies in no folder: no permissions keep other users of the host away."""
    code, text = 1, ""
    node = fabric.add("h2", options=("--listen", f"ipc://@weft-test-{os.getpid()}"))
    try:
        node.start()
    except AssertionError:
        code, text = node.process.returncode, node.read_log()
        node.was_killed = True
        assert code == 1 and "ipc" in text
        return
    reply = request(f"ipc://@weft-test-{os.getpid()}", "config sketch", interface="INPUT")
    assert (reply["status"], reply["error"]["code"]) == (403, "denied")


@pytest.mark.parametrize("nodes, word", [
    ("{", "line 1"), ("[]", "nodes"), ('{"nodes": []}', "nodes"), ('{"nodes": {"h2": {}, "h2": {}}}', "duplicate"),
    ({"h3": {}}, "h2"), ({"h2": 5}, "h2"),
    ({"h2": {"children": ["h9"]}}, "h9"), ({"h2": {"children": [5]}}, "child"),
    ({"h2": {"children": ["h3"]}, "h3": {}}, "h3"),
    ({"h2": {"listen": [5]}}, "listen"), ({"h2": {"listen": ["udp://x:1"]}}, "endpoint"),
    ({"h2": {"children": ["h2"], "listen": ["127.0.0.1:5"]}}, "circle"),
    ({"h2": {"children": ["h3"], "listen": ["127.0.0.1:5"]}, "h3": {"children": ["h2"], "listen": ["127.0.0.1:6"]}},
     "circle"),
    ({"h2": {"listen": ["127.0.0.1:5"]}, "h3": {"children": ["h2"]}, "h4": {"children": ["h2"]}}, "two parents"),
    ({"h2": {"children": ["h3", "h3"], "listen": ["127.0.0.1:5"]}, "h3": {"listen": ["127.0.0.1:6"]}}, "h3"),
    ({"h2": {"children": ["h3"]}, "h3": {"listen": ["127.0.0.1:6"], "children": ["h4"]},
      "h4": {"listen": ["127.0.0.1:7"], "children": ["h3"]}}, "h3"),
    ({"h2": {"children": "h3"}, "h3": {"listen": ["127.0.0.1:6"]}}, "children"),
    ({"h2": {"listen": "127.0.0.1:5"}}, "listen"),
    ({"h2": {"listen": ["0.0.0.0:9338"]}}, "--insecure"),
], ids=str)
def test_a_bad_topology_is_refused_with_its_reason(tmp_path, nodes, word):
    assert word in refused(*SYNTH, "--topology", write_topology(tmp_path, nodes))


def test_a_whole_fabric_starts_from_one_topology_file(fabric, tmp_path):
    names = ["h2", "h3", "h4"]
    ends = {name: free_endpoint() for name in names}
    path = write_topology(tmp_path, {"h2": {"listen": [ends["h2"]], "children": ["h3"]},
                                     "h3": {"listen": [ends["h3"][6:]], "children": ["h4"]},
                                     "h4": {"listen": [ends["h4"]]}})
    for name in names:
        node = fabric.add(name, endpoint=ends[name])
        node.arguments = lambda name=name: [WEFTD, "--name", name, "--topology", path, "--insecure", *SYNTH]
        node.start()
    fabric.wait_answer(fabric["h2"], names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_cleanly(fabric, number):
    node = fabric.start("h2")
    assert node.end(number) == 0
    assert node.read_log().rstrip().endswith(f"ending on signal {int(number)}")


def ask_without_waiting(node, texts):
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.linger = 1000
    client.connect(node.endpoint)
    for text in texts:
        client.send(text)
    return client


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node_cleanly_while_questions_are_open(fabric, number):
    """Nothing of an open request stays behind (a leak sanitiser sees it), and nobody waits for its end."""
    with FakeChild("h3") as child:
        node = fabric.add("h2", children=[child]).start()
        fabric.wait_missing(node, {"h3": "timeout"})
        with ask_without_waiting(node, [b'{"type": "list sketches", "timeout_ms": 60000}'] * 100):
            wait_until(lambda: node.ask_ok("query status", scope="local")["nodes"][0]["requests"]["open"] > 100,
                       "they are open")
            assert node.end(number) == 0, node.read_log()


def test_a_signal_ends_a_node_cleanly_with_questions_in_its_queue(fabric):
    """Seals that are on their way to the capture thread and back when the end comes."""
    for _ in range(10):
        name = f"h{len(fabric.nodes) + 2}"
        node = fabric.start(name)
        node.ask_ok("config sketch", interface="INPUT")
        node.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
        node.pause()
        with ask_without_waiting(node, [b'{"type": "query status"}'] * 200) as client:
            wait_until(lambda: client.getsockopt(zmq.EVENTS) & zmq.POLLOUT, "they are sent")
            assert node.end() == 0, node.read_log()


def test_a_signal_at_once_after_the_start_ends_a_node_cleanly(fabric):
    node = fabric.add("h2")
    node.start(wait=False)
    node.wait_log("ready")
    assert node.end() == 0


def test_a_question_that_came_before_the_end_is_answered_by_its_data_or_by_the_ending(fabric):
    node = fabric.start("h2")
    with ask_without_waiting(node, [b'{"type": "ping"}'] * 2) as client:
        client.recv(), client.recv()
        for _ in range(50):
            client.send(b'{"type": "query status"}')
        assert client.poll(5000)
        assert node.end() == 0
        while client.poll(200):
            reply = client.recv_json()
            assert reply["status"] == 200 or "is ending" in reply["error"]["message"], reply


def notified(node, number=None):
    """Runs a node with a service manager's socket; what it was told."""
    path = os.path.join(os.path.dirname(node.log), "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE_S)
        node.environment = {"NOTIFY_SOCKET": path}
        node.start(wait=False)
        told = [manager.recv(4096).decode()]
        assert node.answers(), "it said READY before it answers"
        assert node.end(number or signal.SIGTERM) == 0
        told.append(manager.recv(4096).decode())
    return told


def test_the_service_manager_is_told_ready_and_stopping(fabric):
    assert notified(fabric.add("h2")) == ["READY=1", "STOPPING=1"]


def stateful(fabric, tmp_path, name="h2", **fields):
    return fabric.add(name, options=["--insecure", "--state", str(tmp_path / "state")], **fields)


def test_the_configuration_is_back_after_a_restart_and_ids_go_on(fabric, tmp_path):
    node = stateful(fabric, tmp_path).start()
    node.ask_ok("config sketch", interface="INPUT", proto="udp", src="fd00::/8", name="one; `two`\n\u20ac")
    node.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src_dport", increment="bytes",
                hitter_threshold=0.3,
                memory=65536)
    node.ask_ok("config sketch", interface="OUTPUT", include_fabric=True)
    node.ask_ok("config sketch", interface="FORWARD")
    node.ask_ok("remove sketch", sketch_id=3)
    before = node.ask_ok("list sketches")
    for end in (node.kill, node.end):
        end()
        node.start()
        assert node.ask_ok("list sketches") == before
    assert node.ask_ok("config sketch", interface="INPUT")["sketch_id"] == 4
    assert node.ask("query heavy hitters", sketch_id=1, counter_key_type="src_dport")["status"] == 200


def test_a_root_with_state_that_restarts_agrees_with_its_children(fabric, tmp_path):
    leaf = fabric.start("h3", source="synth:packets=100")
    root = stateful(fabric, tmp_path, children=[leaf], source="synth:packets=100").start()
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    root.kill()
    root.start()
    fabric.wait_answer(root, ["h2", "h3"])
    fabric.run_sources(root)
    reply = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0)
    assert reply["status"] == 200 and sum(reply["data"].values()) == 200


def test_a_root_that_lost_its_state_gives_no_id_that_a_child_knows_already(fabric):
    """It takes the highest number from its children before it gives one."""
    leaf = fabric.start("h3")
    root = fabric.add("h2", children=[leaf]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    first = root.ask_ok("config sketch", interface="INPUT", proto="tcp")["id"]
    root.kill()
    root.start()
    fabric.wait_answer(root, ["h2", "h3"])
    reply = root.ask("config sketch", interface="OUTPUT", proto="udp")
    assert reply["status"] == 200 and reply["data"]["id"] != first, reply


@pytest.mark.parametrize("text", ["", "{", "garbage", "[]", "null", "{}", '{"next_id": 2}',
                                  '{"next_id": 2, "commands": 5}',
                                  '{"next_id": "x", "commands": []}', '{"next_id": 2, "commands": [5]}',
                                  '{"next_id": 2, "commands": [{"type": "nonsense"}]}',
                                  '{"next_id": 2, "commands": [{"type": "config sketch", "sketch_id": "h2-1"}]}',
                                  '{"next_id": -5, "commands": []}'], ids=repr)
def test_a_damaged_state_is_an_error_that_names_the_file(tmp_path, text):
    (tmp_path / "h2.json").write_text(text)
    line = refused("--listen", free_endpoint(), *SYNTH, "--insecure", "--state", str(tmp_path))
    assert str(tmp_path / "h2.json") in line


def test_the_state_folder_is_made_for_its_owner_alone(fabric, tmp_path):
    stateful(fabric, tmp_path).start()
    assert os.stat(tmp_path / "state").st_mode & 0o077 == 0


def test_a_state_that_cannot_be_written_is_told_to_the_client(fabric, tmp_path):
    node = stateful(fabric, tmp_path).start()
    os.rmdir(tmp_path / "state")
    reply = node.ask("config sketch", interface="INPUT")
    assert reply["status"] == 500 and "state" in reply["error"]["message"]


def test_a_missing_capture_file_leaves_a_node_that_says_so(fabric, tmp_path):
    """It is there and answers, but is listed as unable to measure: never a silent 0."""
    node = fabric.start("h2", source=f"pcap:{tmp_path}/none.pcap")
    status = node.ask_ok("query status")["nodes"][0]
    assert status["capture"]["state"] == "failed" and "none.pcap" in status["capture"]["error"]
    reply = node.ask("start source")
    assert (reply["status"], reply["error"]["code"]) == (500, "capture-failed")


def test_a_damaged_capture_file_is_missing_with_its_reason(fabric, tmp_path):
    path = tmp_path / "bad.pcap"
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + b"\0" * 20 + b"\xff" * 100)
    leaf = fabric.start("h3", source=f"pcap:{path}")
    root = fabric.add("h2", source="synth:packets=100", children=[leaf]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask("config sketch", interface="INPUT")
    root.ask("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask("start source")

    def says_so():
        reply = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0)
        return reply["status"] == 206 and reply["nodes"]["missing"][0]["why"] == "capture-failed" and reply

    reply = wait_until(says_so, "h3 is missing: capture-failed")
    assert reply["nodes"]["missing"][0]["node"] == "h3" and "bad.pcap" in reply["nodes"]["missing"][0]["message"]
    assert sum(reply["data"].values()) == 100
